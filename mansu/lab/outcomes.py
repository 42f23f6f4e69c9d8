"""What became of every fact, from how many of its questions each of four models answers right."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mansu.data.facts import FactSet
from mansu.metrics.mcq import McqScores
from mansu.study.stages.base import Base
from mansu.study.stages.quantize import Deployment

BACK = "came back under NF4"
KNOWN = "still known"
LOST = "lost under NF4 alone"
GONE = "stayed forgotten"
NEVER = "not known before"  # by the original model in full precision
OUTCOMES = {BACK: "▲", KNOWN: "●", LOST: "▼", GONE: "○", NEVER: "–"}  # a mark beside the words

# The original and the unlearned model, each in "fp" and "nf4", over the same items.
Measured = Mapping[tuple[str, str], McqScores]


@dataclass(frozen=True)
class Asked:
    """A fact and how many of its questions every model answers right.

    Attributes:
        fact: The subject.
        answer: The right answer.
        n: How many questions were asked.
        right: How many are right, by state and precision.
    """

    fact: str
    answer: str
    n: int
    right: dict[tuple[str, str], int]

    def outcome(self, least: int) -> str:
        """What became of the fact.

        A model knows a fact if it answers ``least`` of its questions right, or all of them where
        fewer were asked.
        """
        knows = {model: right >= min(least, self.n) for model, right in self.right.items()}
        if not knows["original", "fp"]:
            return NEVER
        return {
            (True, True): KNOWN,
            (True, False): LOST,
            (False, True): BACK,
            (False, False): GONE,
        }[knows["unlearned", "fp"], knows["unlearned", "nf4"]]


def all_measured(base: Base, now: Deployment, role: str) -> Measured:
    """The scores of all four models over a role's items."""
    return {
        (state, precision): getattr(measured, precision).roles[role]
        for state, measured in (("original", base), ("unlearned", now))
        for precision in ("fp", "nf4")
    }


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
            right = {model: int(measured.correct[own].sum()) for model, measured in scores.items()}
            found.append(Asked(fact.subject, fact.answer, int(own.sum()), right))
    return found


def most(asked: list[Asked]) -> int:
    """More than half of a fact's questions: from here on a fact counts as known by default."""
    return max(one.n for one in asked) // 2 + 1
