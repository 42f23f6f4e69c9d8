"""Every accuracy of every run, in every format: original, unlearned, and the change."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from mansu.study.rows import VIEWS
from mansu.study.rules.base import short
from mansu.study.scorecard import Scorecard
from mansu.study.state import State, find_origin
from mansu.study.tables.base import Table, named, put


def build(cards: Sequence[Scorecard]) -> pd.DataFrame:
    """One line a run, question and format."""
    lines = []
    for card in cards:
        rows = card.rows
        for name, view in VIEWS.values():
            for form in rows.formats:
                place = (name, view, "accuracy")
                first = rows.find(*place, State("original", form), "value")
                if first is None:
                    continue
                line: dict[str, Any] = {**named(card), "set": name, "prompts": view}
                line |= {"format": short(form), "n": first.n}
                put(line, "original", first, ends=True)
                for origin in rows.origins[1:]:
                    title, state = find_origin(origin).title, State(origin, form)
                    put(line, title, rows.find(*place, state, "value"), ends=True)
                    change = rows.find(*place, state, "change")
                    put(line, f"{title} − original", change, ends=True)
                lines.append(line)
    return pd.DataFrame(lines)


TABLE = Table(
    "scorecard",
    "Accuracies",
    build,
    digits={"unlearned − original": "+.3f", "retrained − original": "+.3f"},
    note="[95 % interval, facts resampled as a whole].",
)
