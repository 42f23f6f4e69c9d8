"""What the rules have in common: every threshold, and how parts make a whole."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from mansu.study.scorecard import Outcome, Row, Rows, Verdict
from mansu.study.state import FP, State, format_title


@dataclass(frozen=True)
class Rules:
    """Every threshold, in one place; printed beside each verdict [O].

    Attributes:
        forget_share: Share of the way from the original's accuracy to the level that it must fall.
        testable: How far above the level the original's interval must lie.
        inverted: How far below chance the interval's upper end lies where answers are inverted.
        max_wrong_fall: Nats by which wrong options may fall.
        max_degenerate: Rise of the share of continuations that say nothing.
        min_kind: Share of the original's probability of the answer's kind.
        min_kind_entropy: Share of the original's entropy among the kinds below which one answer is
            given to all.
        max_drop: Largest fall of retain and utility accuracy against θ₀ in the same format.
        max_drop_low: Lower end of that.
        max_loss_rise: Nats a token by which the loss on plain text may rise.
        max_loss_rise_high: Upper end of that.
        min_items: Scored items below which a verdict on ±2 pp means nothing.
        max_gap: Largest PTQ gap, by the paper's property.
        max_gap_high: Largest upper end of its interval.
        high_cad: CAD from which most of the circuit's effect is gone, in the paper's property.
        min_cad: Smallest CAD: what models that never knew reach (``bench/meta_evaluation.py``).
        min_depth: Smallest unlearning depth, from the same models.
        vanished: Share of the attribution below which nothing is left to point anywhere.
        max_recovered: Largest share of untaught facts that relearning may bring back.
        min_facts: Facts below which no rule is decided.
        known: Base accuracy from which a template that training never saw counts as known.
    """

    forget_share: float = 0.5
    testable: float = 0.15
    inverted: float = 0.05
    max_wrong_fall: float = 2.0
    max_degenerate: float = 0.05
    min_kind: float = 0.5
    min_kind_entropy: float = 0.5
    max_drop: float = 0.02
    max_drop_low: float = 0.05
    max_loss_rise: float = 0.02
    max_loss_rise_high: float = 0.05
    min_items: int = 300
    max_gap: float = 0.02
    max_gap_high: float = 0.10
    high_cad: float = 0.5
    min_cad: float = 0.92
    min_depth: float = 0.34
    vanished: float = 0.05
    max_recovered: float = 0.5
    min_facts: int = 10
    known: float = 0.6


RULES = Rules()


@dataclass(frozen=True)
class Case:
    """What is judged.

    Attributes:
        rows: Every number of the run.
        chance: Accuracy of guessing a forget question.
        facts: How many facts are to be forgotten.
        origin: Whose verdict it is.
    """

    rows: Rows
    chance: float
    facts: int
    origin: str = "unlearned"

    @property
    def deployed(self) -> list[str]:
        """The formats that were measured beside full precision."""
        return [form for form in self.rows.formats if form != FP]

    def state(self, form: str) -> State:
        """The judged model in a format."""
        return State(self.origin, form)


@dataclass(frozen=True)
class Part:
    """One condition of a rule.

    Attributes:
        outcome: Whether it is met.
        text: The numbers that decide.
    """

    outcome: Outcome
    text: str


def join(name: str, rule: str, parts: Iterable[Part], note: str = "") -> Verdict:
    """A rule's verdict: it fails with any part, and holds with all that can be tested."""
    listed = list(parts)
    outcome = worst([part.outcome for part in listed])
    told = "; ".join(part.text for part in listed)
    return Verdict(name, outcome, rule, "; ".join(filter(None, [told, note])), note)


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """What conditions come to together."""
    found = set(outcomes)
    order: tuple[Outcome, ...] = ("fails", "undecided", "holds")
    for outcome in order:
        if outcome in found:
            return outcome
    return "not testable"


def items_needed(n: int, half: float, allowed: float) -> str:
    """How many items would make an interval of half-width ``half`` as narrow as ``allowed``."""
    if allowed <= 0:
        return "more items than there are"
    return f"about {math.ceil(n * (half / allowed) ** 2):,} items"


def interval(row: Row, digits: str = "+.3f") -> str:
    """A row's number with its interval."""
    low, high = row.low or 0.0, row.high or 0.0
    return f"{row.value or 0.0:{digits}} [{low:{digits}}, {high:{digits}}]"


def short(form: str) -> str:
    """A format's name in a sentence."""
    return "FP" if form == FP else format_title(form)
