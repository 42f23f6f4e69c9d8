"""Notebook 0's lessons: what may be guessed, and what the measured runs say.

Which option is right is decided by the numbers of the runs at hand, never written down.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import altair as alt
import pandas as pd

from mansu.lab import charts
from mansu.lab.charts.localize import SEED
from mansu.metrics.significance import Gap, paired_gap
from mansu.study.behaviour import Behaviour
from mansu.study.scorecard import RULES
from mansu.study.stages.base import Base
from mansu.study.stages.quantize import Deployment

Models = Mapping[str, Base | Deployment]
_SLOPES, _STRIPS = 470, 260  # pixels of the charts, the second without its strips


@dataclass(frozen=True)
class Lesson:
    """What the runs teach about one question.

    Attributes:
        options: What may be guessed.
        right: Index of the option that the runs bear out.
        why: The numbers it rests on.
        chart: Where to see it.
        height: Pixels of the chart.
    """

    options: tuple[str, ...]
    right: int
    why: str
    chart: alt.TopLevelMixin
    height: int


def comeback(models: Models, chance: float) -> Lesson:
    """Does quantization bring back what the last of the models forgot?"""
    base, now = _first_and_last(models)
    gap, own = (_gap(m.nf4, m.fp, "forget_seen") for m in (now, base))
    lost = _accuracy(base.nf4) - _accuracy(now.fp)
    options = (
        "Nothing that shows: no better in NF4 than in full precision, within the error bars.",
        "A part: it answers better in NF4, though not as well as the original.",
        "Nearly all: in NF4 it answers about as well as the original.",
    )
    right = 0 if gap.low <= 0 else (1 if gap.value < 0.8 * lost else 2)
    why = (
        f"Forget accuracy {_accuracy(now.fp):.2f} in full precision, {_accuracy(now.nf4):.2f} in "
        f"NF4: a gap of {_told(gap)}. The original's own gap is {_told(own)}."
    )
    return Lesson(options, right, why, charts.quantization_slopes(models, chance), _SLOPES)


def depth(models: Models, chance: float) -> Lesson:
    """How much did the last of the models forget in full precision?"""
    base, now = _first_and_last(models)
    fell = _accuracy(base.fp) - _accuracy(now.fp)
    way = fell / (_accuracy(base.fp) - chance)
    options = (
        "Nearly everything: it is close to guessing.",
        "At least half of it.",
        "Less than half of it.",
    )
    right = 0 if way >= 0.9 else (1 if way >= RULES.forget_share else 2)
    retain = _gap(now.fp, base.fp, "retain")
    why = (
        f"Forget accuracy {_accuracy(base.fp):.2f} → {_accuracy(now.fp):.2f} in full precision, "
        f"{way:.0%} of the way to chance; in NF4 {_accuracy(now.nf4):.2f}. Retain accuracy changes "
        f"by {_told(retain)}."
    )
    return Lesson(options, right, why, charts.quantization_slopes(models, chance), _SLOPES)


def price(models: Models, chance: float) -> Lesson:
    """What did the last of the models lose of what it should keep?"""
    base, now = _first_and_last(models)
    change = _gap(now.fp, base.fp, "retain")
    options = (
        f"Nothing that counts: at most {RULES.max_drop * 100:g} percentage points.",
        "Some: up to 10 percentage points.",
        "Much: more than 10 percentage points.",
    )
    right = 0 if change.value >= -RULES.max_drop else (1 if change.value >= -0.10 else 2)
    why = (
        f"Retain accuracy {_accuracy(base.fp, 'retain'):.2f} → {_accuracy(now.fp, 'retain'):.2f}, "
        f"a change of {_told(change)}; perplexity on plain text {base.fp.perplexity:.0f} → "
        f"{now.fp.perplexity:.0f}."
    )
    return Lesson(options, right, why, charts.quantization_slopes(models, chance), _SLOPES)


def crossing(accounts: Mapping[str, pd.DataFrame]) -> Lesson:
    """Which share of the first model's changed weights has another 4-bit code?"""
    name, frame = next(iter(accounts.items()))
    total = frame.iloc[-1]
    share = total["survived"] / max(total["changed"], 1)
    options = ("More than half.", "Between one in a hundred and a half.", "Fewer than one in 100.")
    right = 0 if share > 0.5 else (1 if share >= 0.01 else 2)
    why = (
        f"Of {total['changed']:,} weights that {name} changed, {total['survived']:,} "
        f"({share:.2%}) have another code. The others are, after quantization, what they were."
    )
    height = _STRIPS + 120 * len(accounts)
    return Lesson(options, right, why, charts.ratio_strips(accounts), height)


def both(models: Models, chance: float) -> Lesson:
    """Does the last of the models forget for good, and keep the rest?"""
    base, now = _first_and_last(models)
    forgot = {
        name: _accuracy(new)
        <= (1 - RULES.forget_share) * _accuracy(old) + RULES.forget_share * chance
        for name, new, old in (("fp", now.fp, base.fp), ("nf4", now.nf4, base.nf4))
    }
    changes = [_gap(new, old, "retain") for new, old in ((now.fp, base.fp), (now.nf4, base.nf4))]
    kept = all(change.value >= -RULES.max_drop for change in changes)
    options = (
        "It forgets in both precisions and keeps the rest.",
        "It forgets in both precisions, at the price of the rest.",
        "It forgets in full precision only, or hardly at all.",
    )
    right = 2 if not all(forgot.values()) else (0 if kept else 1)
    why = (
        f"Forget accuracy {_accuracy(now.fp):.2f} in full precision, {_accuracy(now.nf4):.2f} in "
        f"NF4 (chance {chance:.2f}); retain changes by {_told(changes[0])} and {_told(changes[1])}."
    )
    return Lesson(options, right, why, charts.quantization_slopes(models, chance), _SLOPES)


def summary(models: Models, accounts: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Every model in one line: accuracies, PTQ gap, changes against the original, weights."""
    base = next(iter(models.values()))
    rows = []
    for name, now in models.items():
        row = {
            "model": name,
            "forget FP": f"{_accuracy(now.fp):.3f}",
            "forget NF4": f"{_accuracy(now.nf4):.3f}",
            "PTQ gap": _told(_gap(now.nf4, now.fp, "forget_seen")),
        }
        if name in accounts:
            total = accounts[name].iloc[-1]
            row |= {
                "retain change FP": _told(_gap(now.fp, base.fp, "retain")),
                "retain change NF4": _told(_gap(now.nf4, base.nf4, "retain")),
                "weights changed": f"{total['changed']:,}",
                "with another code": f"{total['survived'] / max(total['changed'], 1):.2%}",
            }
        rows.append(row)
    return pd.DataFrame(rows).fillna("–")


def _first_and_last(models: Models) -> tuple[Base | Deployment, Base | Deployment]:
    listed = list(models.values())
    return listed[0], listed[-1]


def _accuracy(measured: Behaviour, role: str = "forget_seen") -> float:
    return float(measured.roles[role].correct.mean())


def _gap(a: Behaviour, b: Behaviour, role: str) -> Gap:
    return paired_gap(a.roles[role].correct, b.roles[role].correct, a.roles[role].facts, SEED)


def _told(gap: Gap) -> str:
    return f"{gap.value:+.2f} [{gap.low:+.2f}, {gap.high:+.2f}]"
