"""What comes back in a format: how much of two sets a state answers.

A map over many formats needs no more than this of each of them, and it is an order of magnitude
cheaper than all that a verdict asks.
"""

from dataclasses import dataclass

from mansu.metrics.mcq import McqScores
from mansu.metrics.recital import recite
from mansu.study.cache.stage import Upstream, stage
from mansu.study.run import Run
from mansu.study.stages.draw import collections_of, draw
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
