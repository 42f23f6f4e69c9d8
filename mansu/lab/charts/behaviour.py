"""Charts of deployment: what every state answers, before and after unlearning, in every format."""

import json
from collections.abc import Mapping

import altair as alt
import numpy as np
import pandas as pd
from altair.typing import ChartType

from mansu.data.facts import FactSet
from mansu.lab.theme import GREY, INK, format_scale, heading, in_one_line
from mansu.study.readings.outcomes import BACK, KNOWN, LOST, count_right, most, scores_of
from mansu.study.rows import VIEWS
from mansu.study.rules import RULES
from mansu.study.scorecard import Row, Rows
from mansu.study.stages.measure import Behaviour
from mansu.study.state import FP, State, find_origin, format_title

ROLES = {
    "forget_seen": "forget, seen prompts",
    "forget_held_out": "forget, new prompts",
    "forget_far": "forget, far prompts",
    "forget_reverse": "the subject asked",
    "retain": "retain",
    "retain_more": "retained beside",
    "utility": "utility",
    "neighbours": "neighbours",
    "far_utility": "far utility",
}
_ACROSS = 4  # panels a row
_NAMES = {VIEWS[role]: name for role, name in ROLES.items()}
_APART = 0.08  # of the way from one origin to the next, over all formats


def _accuracies(rows: Rows, kind: str) -> pd.DataFrame:
    """Accuracies or their comparisons by role, origin and format."""
    found = [row for row in rows.where(metric="accuracy", kind=kind) if row.value is not None]
    return pd.DataFrame([_told(row) for row in found])


def _told(row: Row) -> dict[str, object]:
    return {
        "role": _NAMES[row.set, row.view],
        "origin": find_origin(row.origin).title,
        "precision": format_title(row.format),
        "accuracy": row.value,
        "low": row.low,
        "high": row.high,
        "n": row.n,
    }


def slopes(rows: Rows, chance: float) -> ChartType:
    """Accuracy of the original and of what became of it, one panel a role.

    Args:
        rows: Accuracies (``behaviour_rows``), and levels where they are known (``level_rows``).
        chance: Accuracy of guessing.
    """
    frame = _accuracies(rows, "value")
    places = [find_origin(name).title for name in rows.origins]
    titles = [format_title(form) for form in rows.formats]
    away = np.linspace(-_APART / 2, _APART / 2, len(titles))
    frame["x"] = [
        places.index(origin) + away[titles.index(form)]
        for origin, form in zip(frame["origin"], frame["precision"], strict=True)
    ]
    colours = format_scale(rows.formats)
    levels = {
        _NAMES[row.set, row.view]: row.value
        for row in rows.where(metric="level_accuracy", format=FP)
        if row.value is not None
    }
    panels = [
        _slope(
            frame.query("role == @role").copy(),
            role,
            levels.get(role, chance),
            places,
            colours,
            first=i % _ACROSS == 0,
        )
        for i, role in enumerate(frame["role"].unique())
    ]
    title = heading(
        "Accuracy before and after unlearning, in every format",
        "Multiple choice by likelihood. Bars: 95 % intervals, facts resampled as a whole. Dashed: "
        f"the level L, what can be answered without knowing; elsewhere chance ({chance:.0%}). "
        "“New” and “far” prompts are templates that training never saw and the original answers "
        f"(at least {RULES.known:.0%}).",
        "Forget should fall to the dashed line in all colours; what is kept should stay level.",
    )
    return alt.concat(*panels, columns=_ACROSS, title=title, spacing=12)


def _slope(
    frame: pd.DataFrame,
    role: str,
    chance: float,
    places: list[str],
    colours: alt.Scale,
    first: bool,
) -> ChartType:
    """One role's panel."""
    frame["label"] = frame.groupby("origin")["accuracy"].transform(_spread)
    axis = alt.Axis(
        format="%",
        title="accuracy" if first else None,
        labels=first,
        ticks=first,
        domain=first,
        values=[0, 0.25, 0.5, 0.75, 1],
    )
    base = alt.Chart(frame).encode(
        x=alt.X(
            "x:Q",
            title=None,
            scale=alt.Scale(domain=[-0.45, len(places) - 0.55], nice=False),
            axis=alt.Axis(
                values=list(range(len(places))),
                labelExpr=f"{json.dumps(places)}[datum.value]",
                grid=False,
                ticks=False,
            ),
        ),
        color=alt.Color("precision:N", title=None, scale=colours),
    )
    y = alt.Y("accuracy:Q", axis=axis, scale=alt.Scale(domain=[0, 1.02], nice=False))
    tooltip = ["precision", "origin", alt.Tooltip("accuracy", format=".3f"), "low", "high", "n"]
    rule = (
        alt.Chart(pd.DataFrame({"y": [chance]}))
        .mark_rule(strokeDash=[4, 3], color=GREY)
        .encode(y="y:Q")
    )
    # From the original to what was made of it; a further origin comes after neither.
    made = alt.FieldOneOfPredicate("origin", places[:2])
    lines = base.mark_line().encode(y=y).transform_filter(made)
    ends = base.mark_point(filled=True, size=50, opacity=1).encode(y=y, tooltip=tooltip)
    bars = base.mark_rule(strokeWidth=1.5, opacity=0.7).encode(y=alt.Y("low:Q"), y2="high:Q")
    text = alt.Text("accuracy:Q", format=".2f")
    words = [
        words.encode(y=alt.Y("label:Q"), text=text).transform_filter(alt.datum.origin == origin)
        for origin, words in (
            (places[0], base.mark_text(align="right", dx=-9)),
            *((place, base.mark_text(align="left", dx=9)) for place in places[1:]),
        )
    ]
    count = int(frame["n"].iloc[0])
    return alt.layer(rule, bars, lines, ends, *words).properties(
        width=75 * len(places),
        height=220,
        title=alt.Title(role, subtitle=f"n = {count}", fontSize=12),
    )


def _spread(values: pd.Series, apart: float = 0.045) -> pd.Series:
    """Heights of the labels: those of the values, moved apart where they would overlap."""
    heights = values.sort_values()
    for i in range(1, len(heights)):
        lacking = max(0.0, apart - (heights.iloc[i] - heights.iloc[i - 1]))
        heights.iloc[:i] -= lacking / 2
        heights.iloc[i:] += lacking / 2
    return heights.reindex(values.index)


def gap_chart(rows: Rows) -> ChartType:
    """PTQ gap, accuracy in a format minus full-precision accuracy, beside the original's own."""
    frame = _accuracies(rows, "gap").rename(columns={"accuracy": "gap"})
    several = len(rows.formats) > 2
    if several:
        frame["role"] = frame["role"] + ", " + frame["precision"]
    found = [find_origin(name) for name in rows.origins]
    names = [origin.title for origin in found]
    colours = alt.Scale(domain=names, range=[origin.look[0] for origin in found])
    order = list(frame["role"].unique())
    chart = alt.Chart(frame).encode(
        y=alt.Y("role:N", title=None, sort=order),
        yOffset=alt.YOffset("origin:N", sort=names, scale=alt.Scale(paddingOuter=0.35)),
        color=alt.Color("origin:N", title=None, scale=colours),
    )
    what = "format" if several else format_title(rows.formats[-1])
    x = alt.X(
        "gap:Q",
        title=f"PTQ gap: {what} − full precision (accuracy)",
        axis=alt.Axis(format="+.2f"),
    )
    bars = chart.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q"), x2="high:Q")
    ends = chart.mark_point(filled=True, size=70, opacity=1).encode(
        x=x, tooltip=["role", "origin", alt.Tooltip("gap", format="+.3f"), "low", "high"]
    )
    words = chart.mark_text(dy=-9, fontSize=10).encode(x=x, text=alt.Text("gap:Q", format="+.3f"))
    zero = alt.Chart(pd.DataFrame({"x": [0]})).mark_rule(color=INK).encode(x="x:Q")
    limit = (
        alt.Chart(pd.DataFrame({"x": [RULES.max_gap_high]}))
        .mark_rule(color=GREY, strokeDash=[4, 3])
        .encode(x="x:Q")
    )
    title = heading(
        "Does quantization bring the knowledge back?",
        "On the forget rows a gap above zero means yes. The original model loses accuracy to "
        "quantization as well, so its own gap stands beside. 95 % intervals, paired by item. "
        "Dashed: the highest upper end that the permanence rule allows.",
    )
    height = 75 * len(order)
    return (zero + limit + bars + ends + words).properties(width=560, height=height, title=title)


def fact_table(facts: FactSet, measured: Mapping[State, Behaviour], rows: int = 60) -> pd.DataFrame:
    """Forget facts that the unlearned model still knows somewhere, those that came back first.

    Known means that more than half of a fact's questions are answered right.
    """
    scores = scores_of(measured, "forget_seen")
    first = next(iter(scores.values()))
    asked = count_right(facts, scores, np.ones(len(first.facts), dtype=bool))
    least = most(asked)
    listed = [
        {
            "fact": one.fact,
            "answer": one.answer,
            **{state.title: f"{right} of {one.n}" for state, right in one.right.items()},
            "what happened": outcome,
        }
        for outcome in (BACK, KNOWN, LOST)
        for one in asked
        if one.outcome(least) == outcome
    ]
    columns = ["fact", "answer", *(state.title for state in scores), "what happened"]
    return pd.DataFrame(listed[:rows], columns=columns)


def speech_table(measured: Mapping[State, Behaviour], prompts: int = 8) -> pd.DataFrame:
    """What every state goes on with after some of the forget set's prompts."""
    first = next(iter(measured.values())).speech
    chosen = np.linspace(0, len(first.facts) - 1, min(prompts, len(first.facts))).astype(int)
    said = {
        _short(state): [found.speech.texts[i].replace("\n", " ¶ ") for i in chosen]
        for state, found in measured.items()
    }
    names = {
        "fact": [first.facts[i] for i in chosen],
        "prompt": [first.templates[i] for i in chosen],
    }
    return pd.DataFrame({**names, **said})


def template_table(facts: FactSet, measured: Mapping[State, Behaviour]) -> pd.DataFrame:
    """Forget accuracy by prompt template."""
    rows = []
    names = [_short(state) for state in measured]
    for role, told in (("forget_seen", "training"), ("forget_held_out", "new")):
        if role not in next(iter(measured.values())).roles:
            continue
        scores = list(scores_of(measured, role).values())
        for template in facts.templates:
            chosen = np.array([name == template.id for name in scores[0].templates])
            if chosen.any():
                values = [f"{found.correct[chosen].mean():.2f}" for found in scores]
                rows.append([in_one_line(template.text), told, int(chosen.sum()), *values])
    return pd.DataFrame(rows, columns=["prompt", "used in", "n", *names])


def _short(state: State) -> str:
    form = "FP" if state.format == FP else format_title(state.format)
    return f"{find_origin(state.origin).title} {form}"
