"""Attributes a state of the model: its edge scores, and how its nodes respond to the subject."""

from dataclasses import dataclass

import torch

from mansu.circuit import EdgeScores, source_differences
from mansu.study.cache.stage import Upstream, stage
from mansu.study.run import Run
from mansu.study.stages.draw import draw
from mansu.study.stages.localize import SCORED, score_edges, score_original
from mansu.study.state import FP, State, files_of, find_origin, in_state

_ORIGINAL = State("original", FP)


@dataclass(frozen=True)
class Attribution:
    """Attribution of one state of the model.

    Attributes:
        scores: Edge scores on the run's pairs.
        differences: Source differences at the last position, ``[pairs, sources, d]``.
    """

    scores: EdgeScores
    differences: torch.Tensor


def _before(run: Run, state: State) -> list[Upstream]:
    scored: list[Upstream] = [(score_original, ())] if state == _ORIGINAL else []
    return [(draw, ()), *scored, *find_origin(state.origin).after(run)]


@stage(
    "attribution",
    place=lambda run, state: find_origin(state.origin).place,
    fields=SCORED,
    after=_before,
    plugs=files_of,
)
def attribute(run: Run, state: State) -> Attribution:
    """Attributes a state, or reads its attribution."""
    with in_state(run, state) as model:
        task = f"attribution, {state.title}"
        scores = score_original(run) if state == _ORIGINAL else score_edges(run, model, task)
        return Attribution(scores, source_differences(model, draw(run).pairs))


def attribute_all(run: Run, states: tuple[State, ...]) -> dict[State, Attribution]:
    """The attribution of every one of some states."""
    return {state: attribute(run, state) for state in states}
