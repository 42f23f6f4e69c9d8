"""One exporter for every table: text for a terminal, Markdown, LaTeX and CSV."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from mansu.errors import InputError, saving
from mansu.scratch import replacing
from mansu.study.cells import columns
from mansu.study.tables.base import HIGH, LOW, Layout, Table

_MARKS = {"✓": r"\checkmark", "✗": r"$\times$", "–": "--", "Δ": r"$\Delta$", "−": "$-$"}


def readable(table: Table | Layout, frame: pd.DataFrame) -> pd.DataFrame:
    """Every cell as a reader is to see it: numbers with their digits and intervals."""
    shown = pd.DataFrame(index=frame.index)
    for name in map(str, frame.columns):
        if not name.endswith((LOW, HIGH)):
            digits = table.digits.get(name, ".3f")
            ends = [frame.get(name + end) for end in (LOW, HIGH)]
            shown[name] = [
                _cell(value, digits, *(None if end is None else end.iloc[i] for end in ends))
                for i, value in enumerate(frame[name])
            ]
    return shown


def to_text(table: Table | Layout, frame: pd.DataFrame) -> str:
    """Aligned columns, numbers to the right, the title above and the note below."""
    shown = readable(table, frame)
    numeric = [pd.api.types.is_numeric_dtype(frame[name]) for name in shown.columns]
    lines = [list(map(str, shown.columns)), *shown.to_numpy().tolist()]
    sides = "".join("r" if number else "l" for number in numeric)
    return "\n".join([table.title, "", *columns(lines, sides), *filter(None, [table.note])])


def to_markdown(table: Table | Layout, frame: pd.DataFrame) -> str:
    """A table of GitHub's Markdown."""
    shown = readable(table, frame)
    lines = [list(map(str, shown.columns)), *shown.to_numpy().tolist()]
    lines = [[str(cell).replace("|", "\\|") for cell in line] for line in lines]
    lines.insert(1, ["---"] * len(shown.columns))
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"**{table.title}**\n\n{body}\n\n{table.note}\n"


def to_latex(table: Table | Layout, frame: pd.DataFrame) -> str:
    """A ``table`` for a document that loads booktabs and amssymb."""
    body = readable(table, frame).to_latex(index=False, escape=True, caption=table.title)
    for mark, command in _MARKS.items():
        body = body.replace(mark, command)
    return body


def to_csv(table: Table | Layout, frame: pd.DataFrame) -> str:
    """The numbers themselves, with the ends of their intervals in columns of their own."""
    return frame.to_csv(index=False, quoting=csv.QUOTE_MINIMAL)


WRITERS: dict[str, Callable[[Table | Layout, pd.DataFrame], str]] = {
    ".txt": to_text,
    ".md": to_markdown,
    ".tex": to_latex,
    ".csv": to_csv,
}


def write_table(table: Table | Layout, frame: pd.DataFrame, target: Path) -> None:
    """Writes a table; the file's ending says as what.

    Raises:
        InputError: The ending is none of `WRITERS`.
        RunError: The file cannot be written.
    """
    if target.suffix not in WRITERS:
        raise InputError(f"{target}: a table is written as {', '.join(WRITERS)} or .png.")
    text = WRITERS[target.suffix](table, frame)
    with saving(target, "free space, or give another file"), replacing(target) as finished:
        finished.write_text(text, encoding="utf-8")


def _cell(value: Any, digits: str, low: Any = None, high: Any = None) -> str:
    if pd.isna(value):
        return ""
    if isinstance(value, bool | str):
        return str(value)
    if float(value).is_integer() and not isinstance(value, float):
        return str(value)
    ends = "" if low is None or pd.isna(low) else f" [{low:{digits}}, {high:{digits}}]"
    return f"{value:{digits}}{ends}"
