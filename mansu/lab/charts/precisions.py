"""The panel that teaches the most: accuracy from full precision to NF4 and on, a line a model."""

import json
from collections.abc import Iterable, Mapping

import altair as alt
import numpy as np
import pandas as pd
from altair.typing import ChartType

from mansu.lab.theme import BLUE, GREY, ORANGE, VERMILION
from mansu.metrics.mcq import McqScores
from mansu.metrics.significance import accuracy_interval
from mansu.study.state import find_origin, format_title, origins

# A model keeps its colour and shape on every chart; an origin brings its own.
_LOOKS: dict[str, tuple[str, str]] = {
    "gradient ascent": (VERMILION, "diamond"),
    "NPO": (ORANGE, "triangle-up"),
    "MANSU": (BLUE, "square"),
}
_AWAY = 0.03  # of the way from full precision to NF4, between two models' points
_APART = 0.05  # of the axis: as near as two numbers may stand


def slope_panel(
    models: Mapping[str, Mapping[str, McqScores]], kept: np.ndarray, chance: float
) -> ChartType:
    """Accuracy with intervals, a line a model.

    Args:
        models: Scores by format, by the model's title, over the same items; formats that are not
            to be shown are left out.
        kept: Which items count, ``[items]``; one at least.
        chance: Accuracy of guessing.
    """
    places = [format_title(form) for form in next(iter(models.values()))]
    places += ["NF4"] * (len(places) == 1)  # its place stays empty
    frame = pd.DataFrame(_rows(models, kept))
    frame["height"] = frame.groupby("precision")["accuracy"].transform(_spread)
    y = alt.Y(
        "accuracy:Q",
        title="accuracy",
        axis=alt.Axis(format="%", values=[0, 0.25, 0.5, 0.75, 1]),
        scale=alt.Scale(domain=[-0.04, 1.04], nice=False),  # numbers stand off the axis,
    )
    legend = alt.Legend(symbolOpacity=1, symbolSize=90)
    base = alt.Chart(frame).encode(
        x=_axis(places), color=alt.Color("model:N", title=None, scale=looks(models), legend=legend)
    )
    tooltip = ["model", "precision", alt.Tooltip("accuracy", format=".3f"), "low", "high", "n"]
    bars = base.mark_rule(strokeWidth=2, opacity=0.6).encode(
        y=alt.Y("low:Q", title="accuracy"), y2="high:Q"
    )
    lines = base.mark_line().encode(y=y)
    shape = alt.Shape("model:N", title=None, scale=looks(models, 1), legend=legend)
    dots = base.mark_point(filled=True, size=70, opacity=1).encode(
        y=y, shape=shape, tooltip=tooltip
    )
    outside = _AWAY * (len(models) + 2) / 2  # beyond all points, so that no number covers one
    words = [
        words.encode(
            x=alt.datum(place),
            y=alt.Y("height:Q", title="accuracy"),
            text=alt.Text("accuracy:Q", format=".0%"),
        ).transform_filter(alt.datum.precision == precision)
        for precision, place, words in (
            (places[0], 0 - outside, base.mark_text(align="right")),
            (places[-1], len(places) - 1 + outside, base.mark_text(align="left")),
        )
    ]
    rule = alt.Chart(pd.DataFrame({"y": [chance]})).mark_rule(strokeDash=[4, 3], color=GREY)
    return alt.layer(
        rule.encode(y=alt.Y("y:Q", title="accuracy")), bars, lines, dots, *words
    ).properties(height=250)


def _axis(places: list[str]) -> alt.X:
    """The formats side by side, by their titles."""
    return alt.X(
        "x:Q",
        title=None,
        scale=alt.Scale(domain=[-0.35, len(places) - 0.65], nice=False),
        axis=alt.Axis(
            values=list(range(len(places))),
            labelExpr=f"{json.dumps(places)}[datum.value]",
            labelFontSize=12,
            grid=False,
            ticks=False,
        ),
    )


def looks(names: Iterable[str], which: int = 0) -> alt.Scale:
    """Colours (0) or shapes (1) of the models that are shown."""
    listed = list(names)
    known = _LOOKS | {o.title: o.look for o in map(find_origin, origins())}
    return alt.Scale(domain=listed, range=[known[name][which] for name in listed])


def _rows(
    models: Mapping[str, Mapping[str, McqScores]], kept: np.ndarray
) -> list[dict[str, object]]:
    rows = []
    for i, (name, measured) in enumerate(models.items()):
        # A little apart, so that intervals of like values do not cover each other.
        away = _AWAY * (i - (len(models) - 1) / 2)
        for x, (form, scores) in enumerate(measured.items()):
            facts = [fact for fact, keep in zip(scores.facts, kept, strict=True) if keep]
            found = accuracy_interval(scores.correct[kept], facts)
            rows.append(
                {
                    "model": name,
                    "precision": format_title(form),
                    "x": x + away,
                    "accuracy": found.value,
                    "low": found.low,
                    "high": found.high,
                    "n": found.n,
                }
            )
    return rows


def _spread(values: pd.Series) -> pd.Series:
    """Heights of the numbers beside their points, from the lowest up, no two closer than a line."""
    heights = values.sort_values()
    for i in range(1, len(heights)):
        heights.iloc[i] = max(heights.iloc[i], heights.iloc[i - 1] + _APART)
    return heights.reindex(values.index)
