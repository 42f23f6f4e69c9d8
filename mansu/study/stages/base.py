"""Measures the original model θ₀ once, in full precision and as deployed."""

from dataclasses import dataclass

from mansu.quant.deployed import deployed
from mansu.study.behaviour import Behaviour, measure_behaviour
from mansu.study.run import Run, once
from mansu.study.stages.draw import draw


@dataclass(frozen=True)
class Base:
    """The original model's answers.

    Attributes:
        fp: In full precision.
        nf4: Deployed in NF4.
        key: The stage's key.
    """

    fp: Behaviour
    nf4: Behaviour
    key: str


@once
def measure_base(run: Run) -> Base:
    """Scores θ₀ and Q(θ₀), or reads the scores."""
    drawn = draw(run)
    stage = run.stage("base", [], ["metrics", "quant"], drawn.key)
    path = stage.path("base", ".json")
    stored = stage.read_json(path)
    if stored is not None:
        fp, nf4 = (Behaviour.from_json(stored[p], drawn.items) for p in ("fp", "nf4"))
        return Base(fp, nf4, stage.key)
    fp = measure_behaviour(run, run.model, drawn.items, "original, full precision")
    with deployed(run.model):
        nf4 = measure_behaviour(run, run.model, drawn.items, "original, NF4")
    stage.write_json(path, {"fp": fp.to_json(), "nf4": nf4.to_json()})
    return Base(fp, nf4, stage.key)
