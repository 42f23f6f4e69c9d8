"""One line a run: the forget set's accuracy in every format, gap, CAD, and every rule's verdict."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from mansu.study.rules import RULE_NAMES
from mansu.study.rules.base import short
from mansu.study.scorecard import Scorecard
from mansu.study.state import FP, State
from mansu.study.tables.base import Table, named, put


def build(cards: Sequence[Scorecard]) -> pd.DataFrame:
    """The runs in the order given."""
    forms = list(dict.fromkeys(form for card in cards for form in card.rows.formats))
    lines = []
    for card in cards:
        line: dict[str, Any] = named(card)
        rows, seen = card.rows, ("forget", "seen", "accuracy")
        for form in forms:
            put(line, short(form), rows.find(*seen, State("unlearned", form), "value"))
        gaps = rows.where(view="seen", metric="accuracy", origin="unlearned", kind="gap")
        put(line, "gap", max(gaps, key=lambda row: row.value or 0.0, default=None))
        put(line, "CAD", rows.find("forget", "circuit", "cad", State("unlearned", FP), "change"))
        line["word"] = card.word
        line |= {name: card.verdict(name).mark for name in RULE_NAMES}
        lines.append(line)
    return pd.DataFrame(lines)


TABLE = Table(
    "summary",
    "Runs",
    build,
    digits={"gap": "+.3f", "CAD": ".2f"},
    note="FP and the formats: accuracy on the forget set, seen prompts. gap: the largest rise from "
    "full precision to a format. ✓ holds, ✗ fails, ? undecided, – not testable.",
)
