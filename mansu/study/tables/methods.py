"""Methods beside each other, a line a model, sets and method, over its seeds [O].

What the paper reports in its main tables, for every format that was measured: forgetting,
quantization, utility and structure. MMLU and IFEval are other benchmarks; the retain and utility
sets stand in their place.
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from mansu.study.rules import RULE_NAMES
from mansu.study.rules.base import short
from mansu.study.scorecard import Kind, Scorecard
from mansu.study.state import FP, State
from mansu.study.tables.base import ALIKE, HIGH, LOW, Table, alike


def build(cards: Sequence[Scorecard]) -> pd.DataFrame:
    """Means over seeds; the ends are the smallest and the largest seed's, where there are more."""
    return pd.DataFrame([_line(key, found) for key, found in alike(cards).items()])


def _line(key: tuple[str, ...], cards: Sequence[Scorecard]) -> dict[str, Any]:
    line: dict[str, Any] = dict(zip(ALIKE, key, strict=True))
    line["seeds"] = len({card.config["seed"] for card in cards})
    numbers = [_numbers(card) for card in cards]
    for name in dict.fromkeys(name for found in numbers for name in found):
        values = [v for found in numbers if (v := found.get(name)) is not None]
        several = len(values) > 1
        line[name] = sum(values) / len(values) if values else None
        line[name + LOW] = min(values) if several else None
        line[name + HIGH] = max(values) if several else None
    held = [n for n in RULE_NAMES if all(card.verdict(n).holds for card in cards)]
    return line | {"rules that hold": ", ".join(held) or "none"}


def _numbers(card: Scorecard) -> dict[str, float | None]:
    """A run's numbers, column by column."""
    rows, found = card.rows, {}

    def put(name: str, view: str, metric: str, form: str, kind: Kind, set: str = "forget") -> None:
        row = rows.find(set, view, metric, State("unlearned", form), kind)
        found[name] = None if row is None else row.value

    for form in rows.formats:
        put(f"forget {short(form)}", "seen", "accuracy", form, "value")
    for form in rows.formats[1:]:
        put(f"PTQ gap {short(form)}", "seen", "accuracy", form, "gap")
    for form in rows.formats:
        for name in ("retain", "utility"):
            put(f"Δ {name} {short(form)}", "all", "accuracy", form, "change", name)
    for form in rows.formats:
        put(f"CAD {short(form)}", "circuit", "cad", form, "change")
    put("AS-C", "circuit", "activation_shift", FP, "change")
    put("AS-NC", "outside", "activation_shift", FP, "change")
    aimed = list(dict.fromkeys(row.format for row in rows.where(set="weights")))
    for form in aimed:
        put(
            "survival" if form == aimed[0] else f"survival {short(form)}",
            *("changed", "survival", form, "value", "weights"),
        )
    put("changed", "changed", "changed_fraction", aimed[0], "value", "weights")
    put("|Δ|/bin", "changed", "ratio_median", aimed[0], "value", "weights")
    return found


TABLE = Table(
    "methods",
    "Methods",
    build,
    digits={"survival": ".4g", "changed": ".3%", "|Δ|/bin": ".3g"},
    note="Means over seeds [smallest, largest]; Δ and CAD against the original in the same format. "
    "Survival and |Δ|/bin (median) in the format that training aimed at; where it aimed at several "
    "ones, in the first, and survival in each other beside it. A rule is named where it holds on "
    "every seed.",
)
