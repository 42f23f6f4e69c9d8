"""Measures the unlearned model θ in full precision and as deployed, Q(θ)."""

from dataclasses import dataclass

from mansu.quant.deployed import deployed
from mansu.study.behaviour import Behaviour, measure_behaviour
from mansu.study.run import Run, once
from mansu.study.stages.draw import draw
from mansu.study.stages.floor import floor, unlearned_model


@dataclass(frozen=True)
class Deployment:
    """The unlearned model's answers.

    Attributes:
        fp: In full precision.
        nf4: Deployed in NF4.
        key: The stage's key.
    """

    fp: Behaviour
    nf4: Behaviour
    key: str


@once
def quantize(run: Run) -> Deployment:
    """Scores θ and Q(θ), or reads the scores."""
    drawn = draw(run)
    stage = run.stage("quantize", [], ["metrics", "quant"], floor(run).key, drawn.key)
    path = run.folder / "behaviour.json"
    stored = stage.read_json(path)
    if stored is not None:
        fp, nf4 = (Behaviour.from_json(stored[p], drawn.items) for p in ("fp", "nf4"))
        return Deployment(fp, nf4, stage.key)
    with unlearned_model(run):
        fp = measure_behaviour(run, run.model, drawn.items, "unlearned, full precision")
        with deployed(run.model):
            nf4 = measure_behaviour(run, run.model, drawn.items, "unlearned, NF4")
    stage.write_json(path, {"fp": fp.to_json(), "nf4": nf4.to_json()})
    return Deployment(fp, nf4, stage.key)
