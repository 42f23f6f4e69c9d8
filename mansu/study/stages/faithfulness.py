"""Measures by patching how much of the answer circuits of growing size carry [O]."""

import torch

from mansu.circuit import Faithfulness, rank_mlps
from mansu.circuit.faithfulness import faithfulness
from mansu.study.run import Run, once
from mansu.study.stages.draw import draw
from mansu.study.stages.localize import localize

_PARTS = ("circuit", "complement", "clean", "corrupted")


@once
def measure_faithfulness(run: Run) -> tuple[Faithfulness, ...]:
    """Faithfulness of the top of the ranking at several sizes, the run's circuit last.

    Sizes are 0, the powers of two, the run's ``top_k`` and the whole model.
    """
    located = localize(run)
    layers, ranking = located.scores.graph.layers, rank_mlps(located.scores)
    doubled = [2**i for i in range(layers.bit_length()) if 2**i < layers]
    sizes = sorted({0, *doubled, run.config.top_k, layers})
    circuits = [ranking[:size] for size in sizes] + [located.circuit.layers]
    stage = run.stage("faithfulness", ["top_k", "circuit"], ["circuit"], located.key)
    path = stage.path("faithfulness", ".safetensors")
    stored = stage.read_tensors(path)
    if stored is None:
        report = run.report("faithfulness")
        curve = faithfulness(run.model, draw(run).pairs, circuits, progress=report)
        tensors = {part: torch.stack([getattr(c, part) for c in curve]) for part in _PARTS}
        stage.write_tensors(path, tensors)
        return curve
    rows = [stored.tensors[part] for part in _PARTS]  # each [circuits, pairs]
    return tuple(
        Faithfulness(tuple(sorted(circuit)), *(row[i] for row in rows))
        for i, circuit in enumerate(circuits)
    )
