"""What became of every fact, from how many of its questions each model answers right."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mansu.data.facts import FactSet
from mansu.metrics.mcq import McqScores
from mansu.study.stages.measure import Behaviour
from mansu.study.state import FP, State

BACK = "came back when quantized"
KNOWN = "still known"
LOST = "lost when quantized alone"
GONE = "stayed forgotten"
NEVER = "not known before"  # by the original model in full precision
OUTCOMES = {BACK: "▲", KNOWN: "●", LOST: "▼", GONE: "○", NEVER: "–"}  # a mark beside the words

# Scores of every state over the same items.
Measured = Mapping[State, McqScores]


@dataclass(frozen=True)
class Asked:
    """A fact and how many of its questions every model answers right.

    Attributes:
        fact: The subject.
        answer: The right answer.
        n: How many questions were asked.
        right: How many are right, by state.
    """

    fact: str
    answer: str
    n: int
    right: dict[State, int]

    def outcome(self, least: int, origin: str = "unlearned") -> str:
        """What became of the fact.

        A model knows a fact if it answers ``least`` of its questions right, or all of them where
        fewer were asked. Quantized means in any of the measured formats.
        """
        knows = {state: right >= min(least, self.n) for state, right in self.right.items()}
        if not knows[State("original", FP)]:
            return NEVER
        deployed = [k for s, k in knows.items() if s.origin == origin and s.format != FP]
        if knows[State(origin, FP)]:
            return LOST if deployed and not all(deployed) else KNOWN
        return BACK if any(deployed) else GONE


def scores_of(measured: Mapping[State, Behaviour], role: str) -> Measured:
    """Every state's scores over a role's items."""
    return {state: behaviour.roles[role] for state, behaviour in measured.items()}


def count_right(facts: FactSet, scores: Measured, kept: np.ndarray) -> list[Asked]:
    """Counts the right answers fact by fact, in the set's order.

    Args:
        facts: The set that the questions are about.
        scores: Of every model.
        kept: Which items count, ``[items]``; facts without any are left out.
    """
    first = next(iter(scores.values()))
    asked = np.array(first.facts, dtype=object)
    found = []
    for fact in facts.facts:
        own = (asked == fact.id) & kept
        if own.any():
            right = {state: round(found.correct[own].sum()) for state, found in scores.items()}
            found.append(Asked(*facts.shown(fact), int(own.sum()), right))
    return found


def most(asked: list[Asked]) -> int:
    """More than half of a fact's questions: from here on a fact counts as known by default."""
    return max(one.n for one in asked) // 2 + 1
