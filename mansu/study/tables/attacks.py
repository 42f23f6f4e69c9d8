"""The worst that every attack did to every run, in every format, beside its controls."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from mansu.study.attacked import worst_of
from mansu.study.rules.base import short
from mansu.study.scorecard import Scorecard
from mansu.study.tables.base import Table, named, put

COLUMNS = ("attack", "format", "accuracy", "at", "original", "never-knew", "recovered share")


def build(cards: Sequence[Scorecard]) -> pd.DataFrame:
    """One line a run, attack and format; a run that was not attacked has none."""
    lines = []
    for card in cards:
        for worst in worst_of(card.rows):
            line: dict[str, Any] = {**named(card), "attack": worst.attack}
            line["format"] = short(worst.row.format)
            put(line, "accuracy", worst.row, ends=True)
            line |= {"at": worst.setting, "original": worst.original, "never-knew": worst.control}
            put(line, "recovered share", worst.share, ends=True)
            lines.append(line)
    return pd.DataFrame(lines) if lines else pd.DataFrame(columns=COLUMNS)


TABLE = Table(
    "attacks",
    "Attacks",
    build,
    note="accuracy: of the unlearned model on the forget set, at the worst setting of the attack; "
    "of attacks that teach half of it, on the other half. original, never-knew: the same setting "
    "on the original, and on it asked about invented subjects.",
)
