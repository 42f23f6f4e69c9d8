"""Shows charts and tables in a notebook: nothing is fetched, nothing from a file is markup.

A chart is displayed as Vega-Lite for JupyterLab and as a PNG for everything else (nbconvert, a
preview on the web, an editor). Neither needs a widget or a network, so the same bundle serves a
notebook at work and one executed by papermill.
"""

import base64
import html
import itertools
import os
import re
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd
import vl_convert
from IPython.core.getipython import get_ipython
from IPython.display import display

from mansu.lab.theme import to_spec

_VEGA = "application/vnd.vegalite.v5+json"
# No "open in an editor": that page is on the network.
_MENU = {"export": True, "source": True, "compiled": False, "editor": False}
SCALE = 1.5  # pixels of the PNG a pixel of the chart, so that text stays sharp
_NUMBER = re.compile(r"\s*([-+−]?[\d.]|–|$)")
ROWS = 200  # of a table, at most


def is_live() -> bool:
    """Whether somebody sits in front of the notebook.

    Papermill and nbconvert execute cells without the right to ask for input; JupyterLab and other
    front ends grant it. Voilà, which does not, tells its kernels its name.
    """
    if os.environ.get("SERVER_SOFTWARE", "").startswith("voila/"):
        return True
    kernel = getattr(get_ipython(), "kernel", None)
    if kernel is None:
        return False
    content = kernel.get_parent().get("content", {})
    return bool(content.get("allow_stdin", False))


def show(chart: alt.TopLevelMixin) -> None:
    """Displays a chart."""
    data, metadata = bundle(chart)
    display(data, metadata=metadata, raw=True)


def bundle(chart: alt.TopLevelMixin) -> tuple[dict[str, Any], dict[str, Any]]:
    """A chart in every form a viewer may want, by MIME type, and the metadata of these forms."""
    spec = to_spec(chart)
    image = vl_convert.vegalite_to_png(spec, scale=SCALE)
    width, height = struct.unpack(">II", image[16:24])
    data = {
        _VEGA: spec,
        "image/png": base64.b64encode(image).decode(),
        "text/plain": _describe(spec),
    }
    size = {"width": round(width / SCALE), "height": round(height / SCALE)}
    return data, {"image/png": size, _VEGA: {"embed_options": {"actions": _MENU}}}


def table(rows: pd.DataFrame | Sequence[Mapping[str, Any]], title: str | None = None) -> None:
    """Displays a table; every cell is shown as the text it is.

    Args:
        rows: A frame, or one mapping of column names to values a row.
        title: Shown above the table.
    """
    frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(list(rows))
    display(table_data(frame, title), raw=True)


def table_data(frame: pd.DataFrame, title: str | None = None) -> dict[str, str]:
    """A table in every form a viewer may want, by MIME type."""
    return {"text/html": _html(frame, title), "text/plain": _text(frame, title)}


def _html(frame: pd.DataFrame, title: str | None) -> str:
    # Without the class that MathJax looks for, "$" in a fact stays a dollar sign.
    with pd.option_context("display.max_colwidth", None, "display.html.use_mathjax", False):
        body = frame.head(ROWS).to_html(index=False, escape=True, border=0, na_rep="–")
    body = _align(body, [_is_text(frame.iloc[:, i]) for i in range(frame.shape[1])])
    caption = "" if title is None else f"<p><b>{html.escape(title)}</b></p>"
    rest = f"<p>{cut}</p>" if (cut := _cut(frame)) else ""
    return caption + body + rest


def _is_text(column: pd.Series) -> bool:
    """Whether any of a column's cells is neither a number nor begins like one."""
    return any(isinstance(cell, str) and not _NUMBER.match(cell) for cell in column)


def _align(body: str, texts: Sequence[bool]) -> str:
    """Moves columns of text to the left; without a style of their own, all cells stand right.

    Cells are escaped, so that what looks like one is one.
    """
    column = itertools.cycle(texts)
    return re.sub(
        r"<t([hd])>",
        lambda cell: f'<t{cell[1]} style="text-align: left">' if next(column) else cell[0],
        body,
    )


def _text(frame: pd.DataFrame, title: str | None) -> str:
    with pd.option_context("display.max_colwidth", None, "display.width", 200):
        body = frame.head(ROWS).to_string(index=False, na_rep="–")
    parts = [title, body, _cut(frame)]
    return "\n\n".join(part for part in parts if part)


def _cut(frame: pd.DataFrame) -> str:
    left = len(frame) - ROWS
    return f"{left} more rows are not shown." if left > 0 else ""


def _describe(spec: dict[str, Any]) -> str:
    """The title and notes of a chart, for readers who cannot see it."""
    title = spec.get("title", {})
    title = {"text": title} if isinstance(title, str) else title
    text = title.get("text") or ""
    lines = [text if isinstance(text, str) else " ".join(text), *title.get("subtitle", [])]
    return "\n".join(str(line) for line in lines if line) or "Chart"
