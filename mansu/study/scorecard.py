"""The scorecard: every number of a run with its interval, and what the four properties say.

``scorecard.json`` is the one record that tables read.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from mansu.metrics.mcq import McqScores
from mansu.metrics.significance import Estimate, Gap


@dataclass(frozen=True)
class Rules:
    """When a property holds. One place for every threshold; printed beside each verdict [O].

    Attributes:
        forget_share: Share of the way from base accuracy to chance that accuracy must fall.
        max_drop: Largest fall of retain and utility accuracy against θ₀ in the same precision.
        min_items: Scored items below which a retain verdict means nothing.
        max_gap: Largest PTQ gap.
        max_gap_high: Largest upper end of its interval.
        min_cad: Smallest CAD.
        known: Base accuracy from which a held-out template counts as known.
    """

    forget_share: float = 0.5
    max_drop: float = 0.02
    min_items: int = 300
    max_gap: float = 0.02
    max_gap_high: float = 0.10
    min_cad: float = 0.5
    known: float = 0.6


RULES = Rules()


@dataclass(frozen=True)
class Comparison:
    """One role's accuracy before and after, in one precision.

    Attributes:
        base: Of the original model.
        now: Of the unlearned model.
        change: now - base, paired by item.
    """

    base: Estimate
    now: Estimate
    change: Gap


@dataclass(frozen=True)
class RoleResult:
    """A role in both precisions."""

    fp: Comparison
    nf4: Comparison


@dataclass(frozen=True)
class Property:
    """One of the four properties.

    Attributes:
        holds: Whether its rule is met.
        rule: The rule, with its thresholds.
        reason: The numbers that decide it.
    """

    holds: bool
    rule: str
    reason: str


def estimate_json(estimate: Estimate) -> dict[str, Any]:
    """An estimate as the scorecard stores it."""
    return {"acc": estimate.value, "n": estimate.n, "ci": [estimate.low, estimate.high]}


def gap_json(gap: Gap) -> dict[str, Any]:
    """A paired gap as the scorecard stores it."""
    return {"value": gap.value, "ci": [gap.low, gap.high], "p": gap.p_mcnemar}


def role_json(result: RoleResult) -> dict[str, Any]:
    """A role as the scorecard stores it."""
    return {
        "fp": estimate_json(result.fp.now),
        "nf4": estimate_json(result.nf4.now),
        "fp_base": estimate_json(result.fp.base),
        "nf4_base": estimate_json(result.nf4.base),
        "fp_change": gap_json(result.fp.change),
        "nf4_change": gap_json(result.nf4.change),
    }


def fell_enough(comparison: Comparison, chance: float, rules: Rules = RULES) -> bool:
    """Rule 1: far enough towards chance, and the interval of the fall excludes 0."""
    far = fell_far(comparison.base.value, comparison.now.value, chance, rules)
    return far and comparison.change.high < 0


def fell_far(base: float, now: float, chance: float, rules: Rules = RULES) -> bool:
    """Whether accuracy fell at least half of the way to chance; none falls from there."""
    needed = rules.forget_share * (base - chance)
    return needed > 0 and base - now >= needed


def known_templates(original: McqScores, rules: Rules = RULES) -> set[str]:
    """Templates under which the original model knows the facts: only these can show forgetting."""
    asked = np.array(original.templates)
    means = {str(name): original.correct[asked == name].mean() for name in np.unique(asked)}
    return {name for name, accuracy in means.items() if accuracy >= rules.known}
