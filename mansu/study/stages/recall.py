"""What comes back in a format: how much of two sets a state answers, and what became of the update.

A map over many formats needs no more than this of each of them, and it is an order of magnitude
cheaper than all that a verdict asks.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from mansu.metrics.mcq import McqScores
from mansu.metrics.recital import recite
from mansu.quant.deployed import linear_weights
from mansu.quant.rounding import Rounding, account_rounding
from mansu.study.cache.stage import Upstream, stage
from mansu.study.run import Run
from mansu.study.stages.draw import collections_of, draw
from mansu.study.stages.floor import floor
from mansu.study.stages.recital import recital_of
from mansu.study.state import State, files_of, find_origin, in_state

ROLES = ("forget_seen", "retain")


@dataclass(frozen=True)
class Recalled:
    """Answers of a state to seen forget questions and to those about what is kept, by role."""

    roles: dict[str, McqScores]


def _before(run: Run, state: State) -> list[Upstream]:
    return [(draw, ()), *find_origin(state.origin).after(run)]


def _plugs(run: Run, state: State) -> list:
    return [*files_of(run, state), *collections_of(run)]


@stage(
    "recall", place=lambda run, state: find_origin(state.origin).place, after=_before, plugs=_plugs
)
def recall(run: Run, state: State) -> Recalled:
    """Asks a state, or reads what it answered."""
    items = draw(run).items
    with in_state(run, state) as model:
        return Recalled(
            {
                role: recite(
                    model,
                    items[role],
                    recital_of(run.sets, role),
                    run.report(f"{state.title}: {role}"),
                )
                for role in ROLES
            }
        )


@stage(
    "rounding",
    "run",
    after=[floor],
    plugs=lambda run, form: files_of(run, State("unlearned", form)),
    ending=".json",
)
def account_format(run: Run, form: str) -> Rounding:
    """What a format makes of the run's update, or the stored account."""
    original, unlearned = (_weights(run, origin, "fp") for origin in ("original", "unlearned"))
    kept, became = (_weights(run, origin, form) for origin in ("original", "unlearned"))
    return account_rounding(_together(original, unlearned, kept, became))


def _weights(run: Run, origin: str, form: str) -> dict[str, torch.Tensor]:
    with in_state(run, State(origin, form)) as model:
        return {name: weight.clone() for name, weight in linear_weights(model).items()}


def _together(
    *states: dict[str, torch.Tensor],
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Each matrix in all four states; one that is done leaves the memory."""
    for name in list(states[0]):
        before, after, kept, became = (weights.pop(name) for weights in states)
        yield before, after, kept, became
