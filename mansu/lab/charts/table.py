"""A table as a picture, for slides and papers that take no text."""

from pathlib import Path

import altair as alt
import pandas as pd
import vl_convert
from altair.typing import ChartType

from mansu.errors import saving
from mansu.lab.theme import GREY, INK, heading, to_spec
from mansu.scratch import replacing
from mansu.study.table_files import readable
from mansu.study.tables.base import Table

_LETTER, _LINE, _GAP = 7, 22, 22  # pixels: of a letter at most, of a line, between columns
_SCALE = 2  # pixels of the file a pixel of the chart


def picture(table: Table, frame: pd.DataFrame) -> ChartType:
    """The table's cells as text marks, numbers to the right."""
    shown = readable(table, frame)
    edges, cells = 0, []
    for name in shown.columns:
        texts = [str(name), *map(str, shown[name])]
        width = _LETTER * max(map(len, texts))
        right = pd.api.types.is_numeric_dtype(frame[name])
        for line, text in enumerate(texts):
            cells.append({"x": edges + width * right, "y": line, "text": text, "right": right})
        edges += width + _GAP
    height = _LINE * (len(shown) + 1)
    base = alt.Chart(pd.DataFrame(cells)).encode(
        x=alt.X("x:Q", axis=None, scale=alt.Scale(domain=[0, edges], nice=False)),
        y=alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[-0.5, len(shown) + 0.5], reverse=True)),
        text="text:N",
    )
    sides = [
        base.transform_filter(f"datum.right === {str(right).lower()}").mark_text(
            align="right" if right else "left", color=INK
        )
        for right in (False, True)
    ]
    under = alt.Chart(pd.DataFrame({"y": [0.5]})).mark_rule(color=GREY).encode(y="y:Q")
    title = heading(table.title, *filter(None, [table.note]), width=max(edges, 400))
    return alt.layer(*sides, under).properties(width=edges, height=height, title=title)


def write_picture(table: Table, frame: pd.DataFrame, target: Path) -> None:
    """Writes a table as a PNG.

    Raises:
        RunError: The file cannot be written.
    """
    image = vl_convert.vegalite_to_png(to_spec(picture(table, frame)), scale=_SCALE)
    with saving(target, "free space, or give another file"), replacing(target) as finished:
        finished.write_bytes(image)
