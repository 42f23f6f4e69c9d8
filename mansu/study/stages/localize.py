"""Phase 1: scores every edge on the forget pairs and takes the circuit from the ranking."""

from dataclasses import asdict, dataclass
from typing import Any

import torch

from mansu.circuit import Circuit, EdgeScores, Graph, attribute, select
from mansu.errors import RunError
from mansu.study.records import StoredTensors
from mansu.study.run import Run, Stage, once
from mansu.study.stages.draw import draw

FIELDS = ("attribution", "ig_steps", "alpha_grid")


@dataclass(frozen=True)
class Localized:
    """Where the forget set lives in θ₀.

    Attributes:
        scores: Edge scores in full precision.
        circuit: The chosen MLP sublayers.
        key: The stage's key.
    """

    scores: EdgeScores
    circuit: Circuit
    key: str


@once
def localize(run: Run) -> Localized:
    """Attributes and selects, or reads what was found.

    Raises:
        RunError: No edge into the circuit has a score, so that nothing could be shown to be lost.
    """
    scores, scores_key = score_original(run)
    stage = run.stage("circuit", ("top_k", "circuit"), ["circuit"], scores_key)
    path = run.folder / "circuit.json"
    stored = stage.read_json(path)
    if stored is not None:
        circuit = Circuit(tuple(stored["layers"]), stored["kind"])
        return Localized(scores, circuit, stage.key)
    circuit = select(scores, run.config.top_k, run.config.circuit)
    if not scores.mlp_scores[:, :, list(circuit.layers)].double().mean(0).any():
        raise RunError(
            "Every edge into the circuit scores zero, so that CAD has nothing to compare with; "
            "choose circuit causal, or facts whose prompts are shorter."
        )
    run.open()
    stage.write_json(path, asdict(circuit))
    return Localized(scores, circuit, stage.key)


@once
def score_original(run: Run) -> tuple[EdgeScores, str]:
    """Edge scores of θ₀ in full precision, with the stage's key."""
    stage = scores_stage(run)
    scores = read_scores(stage)
    if scores is None:
        scores = attribute_now(run, "edge attribution")
        write_scores(stage, scores)
    return scores, stage.key


_TENSORS = ("scores", "mlp_scores", "metric", "metric_corrupted")


def scores_stage(run: Run) -> Stage:
    """The stage that scores the edges of θ₀; its time counts from here."""
    return run.stage("localize", FIELDS, ["circuit"], draw(run).key)


def read_scores(stage: Stage) -> EdgeScores | None:
    """The stored edge scores of θ₀, or None."""
    stored = stage.read_tensors(stage.path("scores", ".safetensors"))
    return None if stored is None else unpack_scores(stored)


def write_scores(stage: Stage, scores: EdgeScores) -> None:
    """Stores edge scores of θ₀."""
    stage.write_tensors(stage.path("scores", ".safetensors"), *pack_scores(scores))


def pack_scores(scores: EdgeScores) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Edge scores as tensors by name, and their graph as JSON values."""
    return {name: getattr(scores, name) for name in _TENSORS}, asdict(scores.graph)


def unpack_scores(stored: StoredTensors) -> EdgeScores:
    """Reads what :func:`pack_scores` made; other tensors beside it are left out."""
    tensors = {name: stored.tensors[name] for name in _TENSORS}
    return EdgeScores(graph=Graph(**stored.extra), **tensors)


def attribute_now(run: Run, task: str) -> EdgeScores:
    """Attributes the model as it is now, with the run's settings and pairs."""
    config = run.config
    return attribute(
        run.model,
        draw(run).pairs,
        method=config.attribution,
        steps=config.ig_steps,
        grid=config.alpha_grid,
        memory_mb=config.memory_mb,
        progress=run.report(task),
    )
