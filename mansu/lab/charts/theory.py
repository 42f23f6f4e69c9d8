"""Charts and tables of the theory's claims on a run."""

import math
from collections.abc import Iterable
from typing import Any

import altair as alt
import pandas as pd
from altair.typing import ChartType

from mansu.lab.theme import BLUE, GREEN, GREY, ORANGE, PALE, VERMILION, WIDTH, heading
from mansu.study.readings.claims import STATES
from mansu.study.stages.guarantees import Guarantees

# Plain letters: a chart without a fetched font has no glyph for ‖ or ᵀ.
_MEASURED, _PREDICTED = "measured", "predicted to second order"
_CIRCUIT, _WHOLE = "bound, circuit", "bound, whole model"


def uniform_caps(found: Guarantees) -> ChartType:
    """Proposition 1: how far a uniform update may go, in bins, by how many weights share it."""
    rows = [
        {
            "set": cap.name,
            "bins": cap.bins,
            "label": f"{cap.bins:,.0f} bins" if cap.bins >= 10 else f"{cap.bins:.2g} bins",
            "weights": cap.weights,
            "reaches": "reaches the next bin" if cap.reaches else "stays inside its bin",
        }
        for cap in found.caps
        if math.isfinite(cap.bins)
    ]
    frame = pd.DataFrame(rows, columns=["set", "bins", "label", "weights", "reaches"])
    frame["name"] = [f"{row['set']} ({row['weights']:,})" for row in rows]
    base = alt.Chart(frame).encode(
        y=alt.Y("name:N", sort=list(frame["name"]), title=None),
        x=alt.X(
            "bins:Q",
            title="largest uniform |Δ|, in mean bin widths (log axis)",
            **_log_axis([*frame["bins"], 0.5, 2.0]),
        ),
    )
    dots = base.mark_point(filled=True, size=110, opacity=1).encode(
        color=alt.Color(
            "reaches:N",
            title=None,
            scale=alt.Scale(
                domain=["reaches the next bin", "stays inside its bin"], range=[BLUE, VERMILION]
            ),
        ),
        tooltip=["set:N", "weights:Q", "bins:Q"],
    )
    words = base.mark_text(dy=-13).encode(text="label:N")
    line = alt.Chart(pd.DataFrame({"x": [1.0]}))
    rule = line.mark_rule(color=GREY, strokeDash=[4, 3]).encode(x="x:Q")
    title = heading(
        "How far an update may go if it is spread evenly",
        f"At a retain budget of {found.caps[0].budget:g} nats. Left of the line, an update stays "
        "within the mean bin.",
        width=WIDTH - 160,
    )
    return (rule + dots + words).properties(
        width=WIDTH - 160, height=48 * max(len(frame), 1), title=title
    )


def retain_bound(found: Guarantees) -> ChartType:
    """Theorem 1: the measured change of the retain loss under its bounds, before and after."""
    rows = []
    for state, name in STATES.items():
        cost = getattr(found, state).cost
        values = {
            _MEASURED: cost.measured,
            _PREDICTED: cost.predicted,
            _CIRCUIT: found.circuit.bound(cost.delta_norm),
            _WHOLE: found.whole.bound(cost.delta_norm),
        }
        rows += [{"state": name, "what": what, "nats": v} for what, v in values.items()]
    shown = pd.DataFrame([row for row in rows if row["nats"] > 0], columns=list(rows[0]))
    left_out = [
        f"{row['what']} {row['state']} is {row['nats']:+.2g}" for row in rows if row["nats"] <= 0
    ]
    note = "Nothing moved."
    if found.before.cost.delta_norm or found.after.cost.delta_norm:
        note = f"Not positive, so not shown: {'; '.join(left_out)}." if left_out else ""
    chart = (
        alt.Chart(shown)
        .mark_point(filled=True, size=120, opacity=1)
        .encode(
            y=alt.Y("state:N", sort=list(STATES.values()), title=None),
            yOffset=alt.YOffset("what:N", sort=[_MEASURED, _PREDICTED, _CIRCUIT, _WHOLE]),
            x=alt.X(
                "nats:Q",
                title="change of the retain loss, in nats (log axis)",
                **_log_axis(shown["nats"]),
            ),
            color=alt.Color(
                "what:N",
                title=None,
                scale=alt.Scale(
                    domain=[_MEASURED, _PREDICTED, _CIRCUIT, _WHOLE],
                    range=[GREEN, ORANGE, BLUE, GREY],
                ),
                legend=alt.Legend(columns=4),
            ),
            shape=alt.Shape(
                "what:N",
                title=None,
                scale=alt.Scale(
                    domain=[_MEASURED, _PREDICTED, _CIRCUIT, _WHOLE],
                    range=["diamond", "circle", "triangle-left", "triangle-left"],
                ),
            ),
            tooltip=["state:N", "what:N", "nats:Q"],
        )
    )
    title = heading(
        "What the update may cost the retain set, and what it does",
        f"On {found.examples} retain examples. The measured change stays left of both bounds if "
        "Theorem 1 holds; the closer the circuit's bound, the more it says.",
        note,
    )
    return chart.properties(width=WIDTH - 60, height=120, title=title)


def amplification(found: Guarantees) -> ChartType:
    """Proposition 2: quantized over unquantized displacement, by boundaries crossed."""
    groups = found.after.crossings.groups
    rows = [
        {
            "boundaries": group.boundaries,
            "ratio": group.ratio_of_means,
            "median": group.median,
            "share": group.amplified,
            "weights": group.weights,
            "label": f"{group.weights:,}",
            "top": max(group.ratio_of_means, group.median),
        }
        for group in groups
    ]
    columns = ["boundaries", "ratio", "median", "share", "weights", "label", "top"]
    frame = pd.DataFrame(rows, columns=columns)
    share = alt.Tooltip("share:Q", format=".1%")
    base = alt.Chart(frame).encode(
        x=alt.X("boundaries:O", title="boundaries crossed", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("ratio:Q", title="mean |ΔQ| / mean |Δ|"),
        tooltip=["boundaries:O", "weights:Q", "ratio:Q", "median:Q", share],
    )
    bars = base.mark_bar(color=PALE)
    ticks = base.mark_tick(color=BLUE, thickness=3).encode(y="median:Q")
    words = base.mark_text(dy=-8).encode(y="top:Q", text="label:N")
    line = alt.Chart(pd.DataFrame({"y": [1.0]}))
    rule = line.mark_rule(color=GREY, strokeDash=[4, 3]).encode(y="y:Q")
    title = heading(
        "Whether quantization amplifies what crossed",
        "Bars: ratio of means over the weights that crossed equally far, with their number; blue: "
        "the median of |ΔQ|/|Δ|. Above the line NF4 moves a weight further than training did."
        if groups
        else "Nothing changed.",
    )
    return (bars + rule + ticks + words).properties(width=WIDTH, height=220, title=title)


def fisher_forms(found: Guarantees) -> ChartType:
    """Proposition 3: the Fisher form of the update, full and by the diagonal."""
    rows = []
    for state, name in STATES.items():
        forms = getattr(found, state).forms
        rows += [
            {"state": name, "form": "full form", "nats": forms.full},
            {"state": name, "form": "diagonal alone", "nats": forms.diagonal},
        ]
    frame = pd.DataFrame(rows)
    frame = frame[frame["nats"] > 0]
    chart = (
        alt.Chart(frame)
        .mark_point(filled=True, size=120, opacity=1)
        .encode(
            y=alt.Y("state:N", sort=list(STATES.values()), title=None),
            x=alt.X(
                "nats:Q",
                title="squared nats (log axis)",
                **_log_axis(frame["nats"]),
            ),
            color=alt.Color(
                "form:N",
                title=None,
                scale=alt.Scale(domain=["full form", "diagonal alone"], range=[VERMILION, BLUE]),
            ),
            tooltip=["state:N", "form:N", "nats:Q"],
        )
    )
    title = heading(
        "What the diagonal of the Fisher information leaves out",
        "The method weighs an update by the diagonal alone. The distance between the two points is "
        "what it does not see: weights that act together.",
    )
    return chart.properties(width=WIDTH - 60, height=100, title=title)


def cap_table(found: Guarantees) -> pd.DataFrame:
    """Proposition 1 in numbers."""
    return pd.DataFrame(
        {
            "weights moved": cap.name,
            "k": f"{cap.weights:,}",
            "F̄": _number(cap.fisher),
            "largest |Δ|": _number(cap.cap),
            "mean bin": _number(cap.bin_width),
            "in bins": _number(cap.bins),
            "bins are reached up to k": _count(cap.most_weights),
        }
        for cap in found.caps
    )


def bound_table(found: Guarantees) -> pd.DataFrame:
    """Theorem 1 in numbers: the four terms, the prediction and the measurement, in nats."""
    return pd.DataFrame(
        {
            "update": name,
            "‖Δ‖": _number(cost.delta_norm),
            "‖g_C‖·‖Δ‖": _number(found.circuit.linear(cost.delta_norm)),
            "½λ(H_CC)·‖Δ‖²": _number(found.circuit.quadratic(cost.delta_norm)),
            "‖g‖·‖Δ‖": _number(found.whole.linear(cost.delta_norm)),
            "½λ(H)·‖Δ‖²": _number(found.whole.quadratic(cost.delta_norm)),
            "g·Δ + ½ΔᵀHΔ": _number(cost.predicted),
            "measured": _number(cost.measured),
        }
        for name, cost in ((name, getattr(found, state).cost) for state, name in STATES.items())
    )


def crossing_table(found: Guarantees) -> pd.DataFrame:
    """Lemma 1 in numbers: weights moved by a bin or more, and the exceptions by their reason."""
    rows = []
    for state, name in STATES.items():
        crossings = getattr(found, state).crossings
        rows.append(
            {
                "update": name,
                "changed": f"{crossings.changed:,}",
                "|Δ| ≥ bin": f"{crossings.premise:,}",
                "of these, new code": f"{crossings.crossed:,}",
                "outermost, outward": f"{crossings.outward:,}",
                "block's scale moved": f"{crossings.moved:,}",
                "rounding": f"{crossings.rounding:,}",
                "unexplained": f"{crossings.unexplained:,}",
            }
        )
    return pd.DataFrame(rows)


def amplification_table(found: Guarantees) -> pd.DataFrame:
    """Proposition 2 in numbers, before and after the floor."""
    rows = [
        {
            "update": name,
            "boundaries crossed": group.boundaries,
            "weights": f"{group.weights:,}",
            "mean |ΔQ|/|Δ|": _number(group.mean),
            "median": _number(group.median),
            "share ≥ 1": f"{group.amplified:.1%}",
            "ratio of means": _number(group.ratio_of_means),
        }
        for state, name in STATES.items()
        for group in getattr(found, state).crossings.groups
    ]
    return pd.DataFrame(rows)


def _log_axis(values: Iterable[float]) -> dict[str, Any]:
    """A logarithmic axis from one power of ten to another around positive values."""
    logs = [math.log10(value) for value in values if value > 0] or [0.0]
    low, high = math.floor(min(logs)), math.ceil(max(logs))
    high = max(high, low + 1)
    decades = [10.0**power for power in range(low, high + 1)]
    return {
        "scale": alt.Scale(type="log", domain=[decades[0], decades[-1]]),
        "axis": alt.Axis(values=decades, format="~g"),
    }


def _number(value: float) -> str:
    return "any" if math.isinf(value) else f"{value:.3g}"


def _count(value: float) -> str:
    return "any" if math.isinf(value) else f"{math.floor(value):,}"
