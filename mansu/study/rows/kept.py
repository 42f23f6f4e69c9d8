"""Which items count, under which names, and what a state is compared with."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mansu.metrics.mcq import McqScores
from mansu.study.rules.base import RULES
from mansu.study.scorecard import Kind, known_templates
from mansu.study.state import FP, State

if TYPE_CHECKING:
    from mansu.study.stages.measure import Behaviour

# A role of items as a set and a view of it.
VIEWS = {
    "forget_seen": ("forget", "seen"),
    "forget_held_out": ("forget", "held-out"),
    "forget_far": ("forget", "far"),
    "forget_reverse": ("forget", "reverse"),
    "retain": ("retain", "all"),
    "retain_more": ("retained beside", "all"),
    "utility": ("utility", "all"),
    "neighbours": ("neighbours", "all"),
    "far_utility": ("far utility", "all"),
}
# Roles of prompts that training never sees: only those count that the original model answers.
UNSEEN = ("forget_held_out", "forget_far", "forget_reverse")


@dataclass(frozen=True)
class Kept:
    """Which items of a role count.

    Attributes:
        items: Whether each does, ``[items]``.
        facts: The facts of those that do.
        templates: The templates that they use, each once.
    """

    items: np.ndarray
    facts: list[str]
    templates: tuple[str, ...]


def keep_items(scores: McqScores, role: str) -> Kept:
    """The items that count: under unseen prompts only where the original model answers.

    Args:
        scores: Of the original model in full precision.
        role: The items' role.
    """
    items = np.ones(len(scores.facts), dtype=bool)
    if role in UNSEEN:
        known = known_templates(scores, RULES.known)
        items = np.isin(np.array(scores.templates, dtype=object), known)
    pairs = zip(scores.facts, scores.templates, items, strict=True)
    kept = [(fact, template) for fact, template, keep in pairs if keep]
    return Kept(items, [f for f, _ in kept], tuple(sorted({t for _, t in kept})))


def kept_of(measured: "Mapping[State, Behaviour]") -> dict[str, Kept]:
    """What counts of every measured role of which anything does."""
    roles = measured[State("original", FP)].roles
    found = {role: keep_items(roles[role], role) for role in VIEWS if role in roles}
    return {role: kept for role, kept in found.items() if kept.facts}


def references(state: State, measured: Mapping[State, object]) -> Iterator[tuple[Kind, State]]:
    """What a state is compared with, and what the comparison is called."""
    found: list[tuple[Kind, State]] = [
        ("change", State("original", state.format)),
        ("gap", State(state.origin, FP)),
    ]
    return ((kind, other) for kind, other in found if other != state and other in measured)
