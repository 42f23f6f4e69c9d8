"""Notebook 0's lessons: what may be guessed, and what the measured runs say.

Which option is right is decided by the numbers of the runs at hand, never written down.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import altair as alt
import pandas as pd

from mansu.lab import charts
from mansu.metrics.significance import Gap, paired_gap
from mansu.study.rules import RULES
from mansu.study.rules.paper import fell_far
from mansu.study.stages.measure import Behaviour
from mansu.study.state import FP

Answers = Mapping[str, Behaviour]  # one model's, by format
Models = Mapping[str, Answers]
_NF4 = "nf4"
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
        table: Numbers to read below it, if any.
    """

    options: tuple[str, ...]
    right: int
    why: str
    chart: alt.TopLevelMixin
    height: int
    table: pd.DataFrame | None = None


def comeback(models: Models, chance: float) -> Lesson:
    """Does quantization bring back what the last of the models forgot?"""
    base, now = _first_and_last(models)
    gap, own = (_gap(m[_NF4], m[FP], "forget_seen") for m in (now, base))
    lost = _accuracy(base[_NF4]) - _accuracy(now[FP])
    options = (
        "Nothing that shows: no better in NF4 than in full precision, within the error bars.",
        "A part: it answers better in NF4, though not as well as the original.",
        "Nearly all: in NF4 it answers about as well as the original.",
    )
    right = 0 if gap.low <= 0 else (1 if gap.value < 0.8 * lost else 2)
    why = (
        f"Forget accuracy {_accuracy(now[FP]):.1%} in full precision, "
        f"{_accuracy(now[_NF4]):.1%} in NF4: a gap of {_told(gap)} pp. The original's own gap is "
        f"{_told(own)} pp. The scorecard allows {100 * RULES.max_gap:+g} pp at most."
    )
    return Lesson(options, right, why, charts.quantization_slopes(models, chance), _SLOPES)


def depth(models: Models, chance: float) -> Lesson:
    """How much did the last of the models forget in full precision?"""
    base, now = _first_and_last(models)
    fell = _accuracy(base[FP]) - _accuracy(now[FP])
    known = _accuracy(base[FP]) - chance
    way = fell / known if known > 0 else 0.0
    options = (
        "Nearly everything: it is close to guessing.",
        f"Between {RULES.forget_share:.0%} and 90% of it.",
        f"Less than {RULES.forget_share:.0%} of it.",
    )
    right = 0 if way >= 0.9 else (1 if way >= RULES.forget_share else 2)
    retain = _gap(now[FP], base[FP], "retain")
    why = (
        f"Forget accuracy {_accuracy(base[FP]):.1%} → {_accuracy(now[FP]):.1%} in full precision, "
        f"{way:.0%} of the way to chance; in NF4 {_accuracy(now[_NF4]):.1%}. Retain "
        f"accuracy changes by {_told(retain)} pp."
    )
    return Lesson(options, right, why, charts.quantization_slopes(models, chance), _SLOPES)


def price(models: Models, chance: float) -> Lesson:
    """What did the last of the models lose of what it should keep?"""
    base, now = _first_and_last(models)
    change = _gap(now[FP], base[FP], "retain")
    options = (
        f"Nothing that counts: at most {RULES.max_drop * 100:g} percentage points.",
        f"Some: {RULES.max_drop * 100:g} to 10 percentage points.",
        "Much: more than 10 percentage points.",
    )
    right = 0 if change.value >= -RULES.max_drop else (1 if change.value >= -0.10 else 2)
    why = (
        f"Retain accuracy {_accuracy(base[FP], 'retain'):.1%} → "
        f"{_accuracy(now[FP], 'retain'):.1%}, a change of {_told(change)} pp; perplexity on plain "
        f"text (lower is better) {base[FP].text.perplexity:.0f} → {now[FP].text.perplexity:.0f}."
    )
    chart = charts.quantization_slopes(models, chance, nf4=False)  # NF4 is the next question
    return Lesson(options, right, why, chart, _SLOPES)


def crossing(accounts: Mapping[str, pd.DataFrame]) -> Lesson:
    """Which share of the first model's changed weights has another 4-bit code?"""
    name, frame = next(iter(accounts.items()))
    total = frame.iloc[-1]
    share = total["survived"] / max(total["changed"], 1)
    options = ("More than half.", "Between one in a hundred and a half.", "Fewer than one in 100.")
    right = 0 if share > 0.5 else (1 if share >= 0.01 else 2)
    why = (
        f"Of {total['changed']:,} weights that {name} changed, {total['survived']:,} "
        f"({share:.2%}) have another code. The others keep theirs, and their stored value "
        "moves only as far as their block's scale does."
    )
    height = _STRIPS + 120 * len(accounts)
    return Lesson(options, right, why, charts.ratio_strips(accounts), height)


def both(models: Models, accounts: Mapping[str, pd.DataFrame], chance: float) -> Lesson:
    """Does the last of the models forget for good, and keep the rest? All of them in a table."""
    base, now = _first_and_last(models)
    forgot = [
        fell_far(_accuracy(old), _accuracy(new), chance)
        for new, old in ((now[FP], base[FP]), (now[_NF4], base[_NF4]))
    ]
    changes = [
        _gap(new, old, "retain") for new, old in ((now[FP], base[FP]), (now[_NF4], base[_NF4]))
    ]
    kept = all(change.value >= -RULES.max_drop for change in changes)
    options = (
        f"It forgets in both precisions (at least {RULES.forget_share:.0%} of the way to chance) "
        f"and keeps the rest (at most {RULES.max_drop * 100:g} points lost).",
        "It forgets in both precisions as far, at the price of the rest.",
        "It forgets in full precision only, or hardly at all.",
    )
    right = 2 if not all(forgot) else (0 if kept else 1)
    why = (
        f"Forget accuracy {_accuracy(now[FP]):.1%} in full precision, "
        f"{_accuracy(now[_NF4]):.1%} in NF4 (chance {chance:.0%}); retain changes by "
        f"{_told(changes[0])} pp and {_told(changes[1])} pp. The other methods' numbers stand "
        "beside it in the table."
    )
    chart = charts.quantization_slopes(models, chance)
    return Lesson(options, right, why, chart, _SLOPES, summary(models, accounts))


def summary(models: Models, accounts: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Every model in one line: accuracies, PTQ gap, changes against the original, weights."""
    base = next(iter(models.values()))
    rows = []
    for name, now in models.items():
        row = {
            "model": name,
            "forget FP": f"{_accuracy(now[FP]):.1%}",
            "forget NF4": f"{_accuracy(now[_NF4]):.1%}",
            "NF4 − FP (PTQ gap, pp)": _told(_gap(now[_NF4], now[FP], "forget_seen")),
        }
        if name in accounts:
            total = accounts[name].iloc[-1]
            row |= {
                "retain change FP (pp)": _told(_gap(now[FP], base[FP], "retain")),
                "retain change NF4 (pp)": _told(_gap(now[_NF4], base[_NF4], "retain")),
                "weights changed": f"{total['changed']:,}",
                "with another code": f"{total['survived'] / max(total['changed'], 1):.2%}",
            }
        rows.append(row)
    return pd.DataFrame(rows).fillna("–")


def _first_and_last(models: Models) -> tuple[Answers, Answers]:
    listed = list(models.values())
    return listed[0], listed[-1]


def _accuracy(measured: Behaviour, role: str = "forget_seen") -> float:
    return float(measured.roles[role].correct.mean())


def _gap(a: Behaviour, b: Behaviour, role: str) -> Gap:
    return paired_gap(a.roles[role].correct, b.roles[role].correct, a.roles[role].facts)


def _told(gap: Gap) -> str:
    """In percentage points, with the 95 % interval."""
    value, low, high = (100 * number for number in (gap.value, gap.low, gap.high))
    return f"{value:+.1f} [{low:+.1f}, {high:+.1f}]"
