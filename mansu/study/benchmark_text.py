"""What benchmarks measure in their own way, as aligned plain text."""

from mansu.collections import find_collection, split
from mansu.study.cells import columns, head_of, lines_of
from mansu.study.rows import BENCHMARK, RETRAINED
from mansu.study.scorecard import Rows
from mansu.study.state import FP

_ALONE = "no model trained without the forget set to compare with (mansu run --retrained)"


def benchmark_rows(rows: Rows) -> list[list[str]]:
    """What benchmarks measure in their own way, a heading first; nothing where none does."""
    own = rows.where(set=BENCHMARK, kind="value", origin="original", format=FP)
    table = [head_of("the benchmark's own", rows)] if own else []
    for row in own:
        title = f"{row.view}: {row.metric}".replace("_", " ")
        table += lines_of(title, rows, (row.set, row.view, row.metric), ".3f")
    return table


def benchmark_text(rows: Rows, forget: str) -> list[str]:
    """The table as lines, with what it lacks; nothing where no set has such figures.

    Args:
        rows: All of a scorecard's.
        forget: The forget set's name.
    """
    table = benchmark_rows(rows)
    if not table:
        return []
    collection, _ = split(forget)
    lacks = RETRAINED not in rows.origins and find_collection(collection).against is not None
    sides = "llll" + "lr" * (len(rows.origins) - 1)
    return [*columns(table, sides), *([_ALONE] if lacks else []), ""]
