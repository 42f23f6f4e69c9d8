"""Measures by patching how much of the answer circuits of growing size carry [O]."""

from mansu.circuit import Faithfulness, rank_mlps
from mansu.circuit.faithfulness import faithfulness
from mansu.study.cache.stage import stage
from mansu.study.run import Run
from mansu.study.stages.draw import draw
from mansu.study.stages.localize import choose_circuit, localize


@stage("faithfulness", "shared", fields=["top_k"], after=[choose_circuit])
def measure_faithfulness(run: Run) -> tuple[Faithfulness, ...]:
    """Faithfulness of the top of the ranking at several sizes, the run's circuit last.

    Sizes are 0, the powers of two, the run's ``top_k`` and the whole model.
    """
    located = localize(run)
    layers, ranking = located.scores.graph.layers, rank_mlps(located.scores)
    doubled = [2**i for i in range(layers.bit_length()) if 2**i < layers]
    sizes = sorted({0, *doubled, run.config.top_k, layers})
    circuits = [ranking[:size] for size in sizes] + [located.circuit.layers]
    report = run.report("faithfulness")
    return tuple(faithfulness(run.model, draw(run).pairs, circuits, progress=report))
