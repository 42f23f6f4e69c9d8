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
from mansu.study.scorecard import Kind, Row, Scorecard
from mansu.study.state import FP, State
from mansu.study.tables.base import ALIKE, HIGH, LOW, Table, alike, put


def build(cards: Sequence[Scorecard]) -> pd.DataFrame:
    """Means over seeds with the smallest and largest seed; of one seed, its numbers as they are."""
    return pd.DataFrame([_line(key, found) for key, found in alike(cards).items()])


def _line(key: tuple[str, ...], cards: Sequence[Scorecard]) -> dict[str, Any]:
    line: dict[str, Any] = dict(zip(ALIKE, key, strict=True))
    line["seeds"] = len({card.config["seed"] for card in cards})
    numbers = [_numbers(card) for card in cards]
    for name in dict.fromkeys(name for found in numbers for name in found):
        rows = [row for found in numbers if (row := found.get(name)) is not None]
        values = [row.value for row in rows if row.value is not None]
        put(line, name, rows[0] if len(rows) == 1 else None, ends=True)
        if len(rows) > 1 and values:
            line[name] = sum(values) / len(values)
            line[name + LOW], line[name + HIGH] = min(values), max(values)
    held = [n for n in RULE_NAMES if all(card.verdict(n).holds for card in cards)]
    return line | {"rules that hold": ", ".join(held) or "none"}


def _numbers(card: Scorecard) -> dict[str, Row | None]:
    """A run's numbers, column by column."""
    rows, found = card.rows, {}

    def find(name: str, view: str, metric: str, form: str, kind: Kind, set: str = "forget") -> None:
        found[name] = rows.find(set, view, metric, State("unlearned", form), kind)

    for view, title in (("seen", "forget"), ("held-out", "held-out"), ("far", "far")):
        for form in rows.formats:
            find(f"{title} {short(form)}", view, "accuracy", form, "value")
    for form in rows.formats[1:]:
        find(f"PTQ gap {short(form)}", "seen", "accuracy", form, "gap")
    for form in rows.formats:
        for name in ("retain", "utility", "neighbours"):
            find(f"Δ {name} {short(form)}", "all", "accuracy", form, "change", name)
    for form in rows.formats:
        find(f"CAD {short(form)}", "circuit", "cad", form, "change")
    for form in rows.formats:
        find(f"depth {short(form)}", "depth", "unlearning_depth", form, "change")
    find("AS-C", "circuit", "activation_shift", FP, "change")
    find("AS-NC", "outside", "activation_shift", FP, "change")
    aimed = list(dict.fromkeys(row.format for row in rows.where(set="weights")))
    for form in aimed:
        find(
            "survival" if form == aimed[0] else f"survival {short(form)}",
            *("changed", "survival", form, "value", "weights"),
        )
    find("changed", "changed", "changed_fraction", aimed[0], "value", "weights")
    find("|Δ|/bin", "changed", "ratio_median", aimed[0], "value", "weights")
    return found


TABLE = Table(
    "methods",
    "Methods",
    build,
    digits={"survival": ".4g", "changed": ".3%", "|Δ|/bin": ".3g"},
    note="Means over seeds [smallest, largest]; of one seed, with its 95 % interval. Forget, "
    "held-out (other wording), far: accuracy; Δ, CAD, depth: against the original in that format. "
    "Survival and |Δ|/bin (median) in the format that training aimed at; where it aimed at several "
    "ones, in the first, and survival in each other beside it. A rule is named where it holds on "
    "every seed.",
)
