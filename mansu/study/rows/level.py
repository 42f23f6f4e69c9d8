"""Rows on the level L: what can be answered without knowing takes chance's place. [O]"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mansu.collections import find_recital
from mansu.data.facts import FactSet
from mansu.data.items import Item
from mansu.metrics.level import frequency_values, spelling_values
from mansu.metrics.rank import item_accuracy, item_auc
from mansu.metrics.significance import accuracy_interval
from mansu.study.rows.kept import VIEWS, Kept, kept_of
from mansu.study.scorecard import Row, Rows
from mansu.study.state import State

if TYPE_CHECKING:  # the stages' last one makes rows of what these hold
    from mansu.study.stages.measure import Behaviour

# Roles that have a level, with their twin's.
LEVELLED = {
    "forget_seen": "twin_seen",
    "forget_held_out": "twin_held_out",
    "forget_far": "twin_far",
}
MEASURES = {"accuracy": item_accuracy, "auc": item_auc}


def level_rows(
    measured: "Mapping[State, Behaviour]",
    items: Mapping[str, Sequence[Item]],
    forget: FactSet,
) -> Rows:
    """Level of every forget view in every format, and what it is made of.

    ``level_accuracy`` is the larger of ``frequency_accuracy``, answering by how often each option
    is an answer of the set, and ``twin_accuracy``, the original model on invented subjects; the
    same for AUC. ``readable_accuracy`` is what spelling alone gives, and no threshold.

    Args:
        measured: Behaviour by state.
        items: The drawn items by role.
        forget: The forget set.
    """
    return Rows(_levels(measured, items, forget))


def _levels(
    measured: "Mapping[State, Behaviour]",
    items: Mapping[str, Sequence[Item]],
    forget: FactSet,
) -> Iterator[Row]:
    originals = {state: b for state, b in measured.items() if state.origin == "original"}
    forget_is_recited = bool(find_recital(forget))
    for role, kept in kept_of(measured).items():
        if role not in LEVELLED:
            continue
        asked = [item for item, keep in zip(items[role], kept.items, strict=True) if keep]
        answers = [item.answer for item in asked]
        values = frequency_values(asked, forget)
        for metric, measure in MEASURES.items():
            # Nobody writes a passage by knowing how often it is one.
            written = metric == "accuracy" and forget_is_recited
            frequency = 0.0 if written else float(measure(values, answers).mean())
            for state, behaviour in originals.items():
                yield from _level(role, kept, metric, state, behaviour, frequency)
        spelled_out = all(template.kind != "letters" for template in forget.seen)
        if role == "forget_seen" and spelled_out and len(forget.facts) > 1:
            spelled = item_accuracy(spelling_values(asked, forget.facts), answers)
            address = (*VIEWS[role], "readable_accuracy", "original", "fp", "value")
            yield Row(*address, float(spelled.mean()), n=len(asked))


def _level(
    role: str, kept: Kept, metric: str, state: State, behaviour: "Behaviour", frequency: float
) -> Iterator[Row]:
    where = (state.origin, state.format, "value")
    name, view = VIEWS[role]
    yield Row(name, view, f"frequency_{metric}", *where, frequency, n=len(kept.facts))
    level = Row(name, view, f"level_{metric}", *where, frequency, n=len(kept.facts))
    twin = behaviour.roles.get(LEVELLED[role])
    if twin is not None:
        counts = np.isin(np.array(twin.templates, dtype=object), kept.templates)
        if counts.any():
            values = (twin.correct if metric == "accuracy" else twin.auc)[counts]
            facts = [fact for fact, keep in zip(twin.facts, counts, strict=True) if keep]
            found = accuracy_interval(values, facts)
            ends = (found.value, found.low, found.high, found.n)
            yield Row(name, view, f"twin_{metric}", *where, *ends)
            if found.value > frequency:
                level = Row(name, view, f"level_{metric}", *where, *ends)
    yield level
