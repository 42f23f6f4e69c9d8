"""How charts look: one palette that colour-blind readers can tell apart, one set of defaults.

The colours are Okabe and Ito's (2008). Every colour of text and lines is stated, because a dark
notebook theme would otherwise paint them white on the chart's white ground.
"""

import textwrap
import unicodedata
from collections.abc import Iterable
from typing import Any

import altair as alt

from mansu.quant.formats import find_format

BLUE, VERMILION, GREEN = "#0072B2", "#D55E00", "#009E73"
ORANGE, PURPLE = "#E69F00", "#CC79A7"
SKY = "#56B4E9"  # blue on a dark ground
INK, GREY, PALE = "#1f2933", "#7b8794", "#c5ccd3"

# A colour means the same on every chart.
# Signed scores: orange helps (negative), blue hinders; white is zero.
SIGNED = ["#B35806", "#F1A340", "#FEE0B6", "#FFFFFF", "#D1E5F0", "#67A9CF", "#2166AC"]

WIDTH = 640  # of the plotted area, in pixels; axes and labels add about a hundred

_CONFIG: dict[str, Any] = {
    "background": "white",
    "padding": 12,
    "font": "Helvetica, Arial, sans-serif",
    "view": {"stroke": None},
    "title": {
        "anchor": "start",
        "frame": "group",
        "fontSize": 16,
        "subtitleFontSize": 12,
        "color": INK,
        "subtitleColor": "#52606d",
        "subtitlePadding": 4,
        "subtitleLineHeight": 16,
        "offset": 12,
    },
    "axis": {
        "labelFontSize": 11,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelColor": INK,
        "labelLimit": 260,
        "titleColor": INK,
        "gridColor": "#e4e7eb",
        "domainColor": GREY,
        "tickColor": GREY,
    },
    # Numbers that would touch are left out, by whatever font they are set in.
    "axisQuantitative": {"labelOverlap": "greedy", "labelSeparation": 8},
    "legend": {
        "orient": "top",
        "labelFontSize": 12,
        "labelLimit": 0,  # none: names are ours, and whole
        "labelOverlap": "greedy",
        "labelSeparation": 8,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelColor": INK,
        "titleColor": INK,
        "symbolStrokeWidth": 2,
        "gradientLength": 220,
    },
    "header": {
        "labelFontSize": 12,
        "titleFontSize": 12,
        "labelColor": INK,
        "titleColor": INK,
        "labelFontWeight": "bold",
    },
    "text": {"color": INK, "fontSize": 11},
    "rule": {"color": GREY},
    "bar": {"color": BLUE},
    "line": {"color": BLUE, "strokeWidth": 2},
    "point": {"color": BLUE, "filled": True, "size": 50},
}


def format_scale(names: Iterable[str]) -> alt.Scale:
    """The formats' colours, by their titles."""
    found = [find_format(name) for name in names]
    return alt.Scale(domain=[f.title for f in found], range=[f.colour for f in found])


def heading(title: str, *notes: str, width: int = WIDTH - 60) -> alt.Title:
    """A chart's title and the notes below it, broken into lines.

    Args:
        title: The title.
        notes: Below it, each on lines of its own.
        width: Pixels that a line may take, of the plotted area. Lines are counted in a typewriter's
            letters, which no font in use is wider than: no text is wider than its chart.
    """
    lines = [line for note in notes for line in _broken(note, width / 7.4)]
    first, *more = _broken(title, width / 9.6)
    return alt.Title([first, *more] if more else first, subtitle=lines)


def _broken(text: str, width: float) -> list[str]:
    """Lines of so many characters, or of half as many where a script's letters are wide."""
    wide = any(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return textwrap.wrap(text, int(width / 2 if wide else width))


def in_one_line(text: str) -> str:
    """A text with its line breaks as signs."""
    return text.replace("\n", " ¶ ")


def to_spec(chart: alt.TopLevelMixin) -> dict[str, Any]:
    """A chart as a Vega-Lite specification with the project's looks.

    The schema is declared as version 5, which JupyterLab shows without a network; the charts use
    nothing that came later.
    """
    spec: dict[str, Any] = chart.to_dict()  # pyright: ignore
    spec["config"] = _CONFIG
    spec["$schema"] = "https://vega.github.io/schema/vega-lite/v5.20.1.json"
    return spec
