"""Phase 1: scores every edge on the forget pairs and takes the circuit from the ranking."""

from dataclasses import dataclass

from mansu.circuit import Circuit, EdgeScores, attribute, select
from mansu.errors import RunError
from mansu.models import LanguageModel
from mansu.study.cache.stage import stage
from mansu.study.run import Run
from mansu.study.stages.draw import draw

# The configuration's fields that edge scores depend on, beside the pairs.
SCORED = ("attribution", "ig_steps", "alpha_grid")


@dataclass(frozen=True)
class Localized:
    """Where the forget set lives in θ₀.

    Attributes:
        scores: Edge scores in full precision.
        circuit: The chosen MLP sublayers.
    """

    scores: EdgeScores
    circuit: Circuit


def localize(run: Run) -> Localized:
    """Attributes and selects, or reads what was found."""
    return Localized(score_original(run), choose_circuit(run))


@stage("scores", "shared", fields=SCORED, after=[draw])
def score_original(run: Run) -> EdgeScores:
    """Edge scores of θ₀ in full precision."""
    return score_edges(run, run.model, "edge attribution")


@stage("circuit", "run", fields=("top_k", "circuit"), after=[score_original], ending=".json")
def choose_circuit(run: Run) -> Circuit:
    """The circuit that the ranking gives.

    Raises:
        RunError: No edge into the circuit has a score, so that nothing could be shown to be lost.
    """
    scores = score_original(run)
    circuit = select(scores, run.config.top_k, run.config.circuit)
    if not scores.mlp_scores[:, :, list(circuit.layers)].double().mean(0).any():
        raise RunError(
            "Every edge into the circuit scores zero, so that CAD has nothing to compare with; "
            "choose circuit causal, or facts whose prompts are shorter."
        )
    return circuit


def score_edges(run: Run, model: LanguageModel, task: str) -> EdgeScores:
    """Attributes a model as it is now, with the run's settings and pairs."""
    config = run.config
    return attribute(
        model,
        draw(run).pairs,
        method=config.attribution,
        steps=config.ig_steps,
        grid=config.alpha_grid,
        memory_mb=config.memory_mb,
        progress=run.report(task),
    )
