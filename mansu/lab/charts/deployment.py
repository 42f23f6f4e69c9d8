"""Charts of full precision against NF4: accuracy of some questions, and the next tokens."""

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
import pandas as pd
from altair.typing import ChartType

from mansu.lab.charts.localize import SEED
from mansu.lab.theme import BLUE, GREY, VERMILION, heading
from mansu.metrics.mcq import McqScores
from mansu.metrics.significance import accuracy_interval
from mansu.study.generation import Continuation

MODELS = {
    ("original", "fp"): "original, full precision",
    ("original", "nf4"): "original, NF4",
    ("unlearned", "fp"): "unlearned, full precision",
    ("unlearned", "nf4"): "unlearned, NF4",
}
_STATES = alt.Scale(domain=["original", "unlearned"], range=[GREY, VERMILION])
_APART = 0.05  # of the axis: as near as labels may come


def precision_slopes(
    scores: Mapping[tuple[str, str], McqScores], kept: np.ndarray, role: str, chance: float
) -> ChartType:
    """Accuracy from full precision to NF4, one line for the original and one for the unlearned.

    Args:
        scores: Of every model, by the keys of ``MODELS``, over the same items.
        kept: Which items count, ``[items]``; one at least.
        role: What the items are called.
        chance: Accuracy of guessing.
    """
    rows = []
    for (state, precision), measured in scores.items():
        facts = [fact for fact, keep in zip(measured.facts, kept, strict=True) if keep]
        found = accuracy_interval(measured.correct[kept], facts, SEED)
        rows.append(
            {
                "state": state,
                # A little apart, so that intervals of like values do not cover each other.
                "x": (precision == "nf4") + (0.02 if state == "unlearned" else -0.02),
                "precision": "NF4" if precision == "nf4" else "full precision",
                "accuracy": found.value,
                "low": found.low,
                "high": found.high,
                "n": found.n,
            }
        )
    frame = pd.DataFrame(rows)
    frame["label"] = _labels(frame)
    x = alt.X(
        "x:Q",
        title=None,
        scale=alt.Scale(domain=[-0.3, 1.3], nice=False),
        axis=alt.Axis(
            values=[0, 1],
            labelExpr="datum.value == 0 ? 'full precision' : 'NF4'",
            labelFontSize=12,
            grid=False,
            ticks=False,
        ),
    )
    y = alt.Y(
        "accuracy:Q",
        title="accuracy",
        axis=alt.Axis(format="%", values=[0, 0.25, 0.5, 0.75, 1]),
        scale=alt.Scale(domain=[0, 1.04], nice=False),
    )
    base = alt.Chart(frame).encode(
        x=x,
        color=alt.Color("state:N", title=None, scale=_STATES, legend=alt.Legend(symbolOpacity=1)),
    )
    tooltip = ["state", "precision", alt.Tooltip("accuracy", format=".3f"), "low", "high", "n"]
    bars = base.mark_rule(strokeWidth=2, opacity=0.6).encode(y=alt.Y("low:Q"), y2="high:Q")
    lines = base.mark_line().encode(y=y)
    dots = base.mark_point(filled=True, size=70, opacity=1).encode(
        y=y, shape=alt.Shape("state:N", title=None, scale=_SHAPES), tooltip=tooltip
    )
    left = base.mark_text(align="right", dx=-12, fontSize=12)
    right = base.mark_text(align="left", dx=12, fontSize=12)
    words = [
        text.encode(y=alt.Y("label:Q"), text=alt.Text("accuracy:Q", format=".2f")).transform_filter(
            alt.datum.precision == precision
        )
        for precision, text in (("full precision", left), ("NF4", right))
    ]
    rule = alt.Chart(pd.DataFrame({"y": [chance]}))
    guess = rule.mark_rule(strokeDash=[4, 3], color=GREY).encode(y="y:Q")
    title = heading(
        f"What quantization does to the answers: {role}",
        f"{int(kept.sum())} questions. Bars: 95 % intervals, facts resampled as a whole. Dashed: "
        f"chance ({chance:.0%}).",
        width=90,
    )
    chart = alt.layer(guess, bars, lines, dots, *words)
    return chart.properties(width=420, height=250, title=title)


_SHAPES = alt.Scale(domain=["original", "unlearned"], range=["circle", "diamond"])


def _labels(frame: pd.DataFrame) -> list[float]:
    """Heights of the numbers: those of the values, moved apart where they would overlap."""
    heights = frame["accuracy"].tolist()
    for precision in frame["precision"].unique():
        pair = [i for i, named in enumerate(frame["precision"]) if named == precision]
        low, high = sorted(pair, key=heights.__getitem__)
        lacking = max(0.0, _APART - (heights[high] - heights[low]))
        heights[low] -= lacking / 2
        heights[high] += lacking / 2
    return heights


def next_tokens(found: Mapping[tuple[str, str], Continuation]) -> ChartType:
    """The likeliest first tokens after a prompt, a panel a model; those missing are left blank.

    Args:
        found: By the keys of ``MODELS``; at least one.
    """
    panels = [_next(found.get(model), *model) for model in MODELS]
    title = heading(
        "What each model would say next",
        "The likeliest next tokens and their probability. ␣ is a space, ⏎ a new line.",
    )
    return alt.hconcat(*panels, title=title, spacing=16)


def _next(found: Continuation | None, state: str, precision: str) -> ChartType:
    candidates = () if found is None else found.candidates
    names = _distinct([visible(candidate.text) for candidate in candidates])
    frame = pd.DataFrame(
        {"token": names, "probability": [candidate.probability for candidate in candidates]},
        columns=["token", "probability"],
    )
    colour = VERMILION if precision == "nf4" else BLUE  # as PRECISIONS has it
    base = alt.Chart(frame).encode(
        y=alt.Y("token:N", sort=None, title=None, axis=alt.Axis(ticks=False, labelLimit=70)),
        x=alt.X(
            "probability:Q",
            title="probability",
            axis=alt.Axis(format="%", values=[0, 0.5, 1]),
            # The number stands behind the bar.
            scale=alt.Scale(domain=[0, 1.3], nice=False),
        ),
    )
    bars = base.mark_bar(color=colour).encode(
        tooltip=["token:N", alt.Tooltip("probability:Q", format=".4f")]
    )
    words = base.mark_text(align="left", dx=4).encode(text=alt.Text("probability:Q", format=".1%"))
    title = alt.Title(MODELS[state, precision], fontSize=12)
    return (bars + words).properties(width=100, height=24 * 5, title=title)


def visible(text: str) -> str:
    """A token's text with its white space made visible."""
    return text.replace(" ", "␣").replace("\n", "⏎").replace("\t", "⇥") or "(no text)"


def _distinct(names: Sequence[str]) -> list[str]:
    """The names, told apart where two tokens read alike: an axis would merge them."""
    return [name + "\u200b" * names[:i].count(name) for i, name in enumerate(names)]
