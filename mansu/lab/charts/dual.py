"""Charts that set several unlearned models side by side."""

from collections.abc import Iterable, Mapping

import altair as alt
import numpy as np
import pandas as pd
from altair.typing import ChartType

from mansu.lab.charts.behaviour import ROLES
from mansu.lab.charts.localize import SEED
from mansu.lab.theme import BLUE, GREY, INK, ORANGE, VERMILION, WIDTH, heading
from mansu.metrics.significance import accuracy_interval
from mansu.quant.permanence import RATIO_EDGES
from mansu.study.stages.base import Base
from mansu.study.stages.quantize import Deployment

# A method keeps its colour and shape on every chart.
_LOOKS = {
    "original": (GREY, "circle"),
    "gradient ascent": (VERMILION, "diamond"),
    "NPO": (ORANGE, "triangle-up"),
    "MANSU": (BLUE, "square"),
}
_SEEN = 1e-3  # a share that makes a visible bar
_APART = 0.05  # of the axis: as near as two numbers may stand


def quantization_slopes(models: Mapping[str, Base | Deployment], chance: float) -> ChartType:
    """Accuracy from full precision to NF4, a line a model: on the forget set and on the retain set.

    Args:
        models: Answers by the model's title; ``original`` first.
        chance: Accuracy of guessing.
    """
    panels = [_panel(models, role, chance) for role in ("forget_seen", "retain")]
    title = heading(
        "What quantization does to the answers",
        "From full precision to NF4. Bars: 95 % intervals, facts resampled as a whole. Dashed: "
        f"chance ({chance:.0%}). Forget should end low in NF4; retain should stay where the "
        "original is.",
    )
    return alt.hconcat(*panels, title=title, spacing=40)


def _panel(models: Mapping[str, Base | Deployment], role: str, chance: float) -> ChartType:
    rows = []
    for i, (name, model) in enumerate(models.items()):
        away = 0.02 * (i - (len(models) - 1) / 2)  # so that intervals do not cover each other
        for x, precision, measured in ((0, "full precision", model.fp), (1, "NF4", model.nf4)):
            scores = measured.roles[role]
            found = accuracy_interval(scores.correct, scores.facts, SEED)
            rows.append(
                {
                    "model": name,
                    "precision": precision,
                    "x": x + away,
                    "accuracy": found.value,
                    "low": found.low,
                    "high": found.high,
                    "n": found.n,
                }
            )
    frame = pd.DataFrame(rows)
    frame["height"] = frame.groupby("precision")["accuracy"].transform(_spread)
    x = alt.X(
        "x:Q",
        title=None,
        scale=alt.Scale(domain=[-0.35, 1.35], nice=False),
        axis=alt.Axis(
            values=[0, 1],
            labelExpr="datum.value == 0 ? 'full precision' : 'NF4'",
            grid=False,
            ticks=False,
        ),
    )
    y = alt.Y(
        "accuracy:Q",
        title="accuracy",
        axis=alt.Axis(format="%", values=[0, 0.25, 0.5, 0.75, 1]),
        scale=alt.Scale(domain=[0, 1.02], nice=False),
    )
    legend = alt.Legend(symbolOpacity=1)
    base = alt.Chart(frame).encode(
        x=x, color=alt.Color("model:N", title=None, scale=_scale(models, 0), legend=legend)
    )
    tooltip = ["model", "precision", alt.Tooltip("accuracy", format=".3f"), "low", "high", "n"]
    bars = base.mark_rule(strokeWidth=1.5, opacity=0.7).encode(
        y=alt.Y("low:Q", title="accuracy"), y2="high:Q"
    )
    dots = base.mark_point(filled=True, size=60, opacity=1).encode(
        y=y, shape=alt.Shape("model:N", title=None, scale=_scale(models, 1)), tooltip=tooltip
    )
    words = [
        words.encode(
            y=alt.Y("height:Q", title="accuracy"), text=alt.Text("accuracy:Q", format=".2f")
        ).transform_filter(alt.datum.precision == precision)
        for precision, words in (
            ("full precision", base.mark_text(align="right", dx=-14)),
            ("NF4", base.mark_text(align="left", dx=14)),
        )
    ]
    rule = alt.Chart(pd.DataFrame({"y": [chance]})).mark_rule(strokeDash=[4, 3], color=GREY)
    count = int(frame["n"].iloc[0])
    return alt.layer(
        rule.encode(y=alt.Y("y:Q", title="accuracy")),
        bars,
        base.mark_line().encode(y=y),
        dots,
        *words,
    ).properties(
        width=270, height=260, title=alt.Title(ROLES[role], subtitle=f"n = {count}", fontSize=12)
    )


def _scale(names: Iterable[str], look: int) -> alt.Scale:
    """Colours (0) or shapes (1) of the methods that are shown."""
    return alt.Scale(domain=list(names), range=[_LOOKS[name][look] for name in names])


def _spread(values: pd.Series) -> pd.Series:
    """Heights of the numbers beside their points, from the lowest up, no two closer than a line."""
    heights = values.sort_values()
    for i in range(1, len(heights)):
        heights.iloc[i] = max(heights.iloc[i], heights.iloc[i - 1] + _APART)
    return heights.reindex(values.index)


def ratio_strips(accounts: Mapping[str, pd.DataFrame]) -> ChartType:
    """Update-to-bin ratio |Δ| / bin of every model's changed weights, on one log axis.

    Args:
        accounts: Permanence accounting by the method's title; the total is the last line.
    """
    totals = {name: frame.iloc[-1] for name, frame in accounts.items()}
    counts = {name: np.array(total["ratio_histogram"]) for name, total in totals.items()}
    shares = {name: count / max(int(count.sum()), 1) for name, count in counts.items()}
    used = np.flatnonzero(sum(share > _SEEN for share in shares.values()))
    one = int(np.searchsorted(RATIO_EDGES, 0))
    first, last = (int(used[0]), int(used[-1]) + 1) if len(used) else (one, one)
    shown = slice(min(first, one - 8), max(last, one + 4))
    rows = [
        pd.DataFrame(
            {
                "method": name,
                "low": 10 ** RATIO_EDGES[:-1][shown],
                "high": 10 ** RATIO_EDGES[1:][shown],
                "share": share[shown],
            }
        )
        for name, share in shares.items()
    ]
    frame = pd.concat(rows)
    x = alt.X(
        "low:Q",
        title="|Δ| / width of the original's bin (log axis)",
        scale=alt.Scale(type="log", nice=False),
        axis=alt.Axis(format="~g"),
    )
    base = alt.Chart(frame)
    bars = base.mark_rect(stroke="white", strokeWidth=0.5).encode(
        x=x,
        x2="high:Q",
        y=alt.Y("share:Q", title="share of changed", axis=alt.Axis(format="%", tickCount=3)),
        y2=alt.datum(0),
        color=alt.Color("method:N", scale=_scale(accounts, 0), legend=None),
        tooltip=["method", "low", "high", alt.Tooltip("share", format=".2%")],
    )
    rule = base.mark_rule(color=INK, strokeDash=[4, 3]).encode(x=alt.datum(1.0))
    strips = (
        alt.layer(bars, rule)
        .properties(width=WIDTH - 40, height=80)
        .facet(
            row=alt.Row(
                "method:N",
                title=None,
                sort=list(accounts),
                header=alt.Header(labelAngle=0, labelOrient="top", labelAnchor="start"),
            ),
            spacing=10,
        )
    )
    told = [
        f"{name}: {total['changed']:,} weights changed, median {total['ratio_median']:.2g} bins, "
        f"{total['survived'] / total['changed']:.1%} change their code."
        for name, total in totals.items()
        if total["changed"]
    ]
    return strips.properties(
        title=heading(
            "How large the updates are, measured in bins",
            "Dashed: one bin. Left of it an update crosses a boundary only where one is near.",
            *told,
        )
    )
