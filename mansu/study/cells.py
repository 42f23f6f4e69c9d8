"""Numbers of a scorecard as cells and aligned columns of plain text."""

from collections.abc import Sequence

from mansu.study.rules.base import short
from mansu.study.scorecard import Row, Rows
from mansu.study.state import FP, State, find_origin


def columns(rows: Sequence[Sequence[str]], sides: str | None) -> list[str]:
    """Aligned lines, a rule below the first; ``sides`` has ``l`` or ``r`` a column, None all l."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    sides = sides or "l" * len(widths)
    lines = []
    for row in rows:
        cells = zip(row, widths, sides, strict=True)
        padded = [cell.rjust(w) if side == "r" else cell.ljust(w) for cell, w, side in cells]
        lines.append("  ".join(padded).rstrip())
    lines.insert(1, "-" * max(map(len, lines)))
    return lines


def head_of(what: str, rows: Rows) -> list[str]:
    """A heading over :func:`lines_of`."""
    others = (find_origin(name).title for name in rows.origins[1:])
    return [what, "", "n", "original", *(words for title in others for words in (title, "change"))]


def lines_of(title: str, rows: Rows, place: tuple[str, str, str], digits: str) -> list[list[str]]:
    """A metric in every format, one line each: the original, then the others with their change."""
    lines = []
    for form in rows.formats:
        first = rows.at(*place, State("original", form), "value")
        cells = [cell(first, digits)]
        for state in (State(origin, form) for origin in rows.origins[1:]):
            cells.append(cell(rows.find(*place, state, "value"), digits))
            cells.append(cell(rows.find(*place, state, "change"), "+" + digits))
        count = "" if first.n is None else str(first.n)
        lines.append([title if form == FP else "", short(form), count, *cells])
    return lines


def cell(row: Row | None, digits: str) -> str:
    """A number with its interval, if it has one; empty where there is no number."""
    sign = "+" if digits.startswith("+") else ""
    ends = "" if row is None or row.low is None else f" [{row.low:{sign}.2f},{row.high:{sign}.2f}]"
    return number(row, digits) + ends


def number(row: Row | None, digits: str) -> str:
    return "" if row is None or row.value is None else f"{row.value:{digits}}"
