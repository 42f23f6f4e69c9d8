"""Charts of deployment: what the model answers in full precision and in NF4, before and after."""

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd
from altair.typing import ChartType

from mansu.data.facts import FactSet
from mansu.lab.charts.deployment import MODELS
from mansu.lab.charts.localize import SEED
from mansu.lab.outcomes import BACK, KNOWN, LOST, all_measured, count_right, most
from mansu.lab.theme import GREY, INK, PRECISIONS, VERMILION, heading
from mansu.metrics.mcq import McqScores
from mansu.metrics.significance import accuracy_interval, paired_gap
from mansu.study.scorecard import RULES, known_templates
from mansu.study.stages.base import Base
from mansu.study.stages.quantize import Deployment

ROLES = {
    "forget_seen": "forget, seen prompts",
    "forget_held_out": "forget, new prompts",
    "retain": "retain",
    "utility": "utility",
}
_STATES = ("original", "unlearned")


def accuracies(base: Base, now: Deployment) -> pd.DataFrame:
    """Accuracy by role, state and precision, each with n and a 95 % interval."""
    rows = []
    for role, label in ROLES.items():
        kept = _known(base, role)
        for state, measured in zip(_STATES, (base, now), strict=True):
            for precision, scores in _by_precision(measured, role).items():
                if not kept.any():
                    continue
                facts = _chosen(scores.facts, kept)
                found = accuracy_interval(scores.correct[kept], facts, SEED)
                rows.append(
                    {
                        "role": label,
                        "state": state,
                        "precision": precision,
                        "accuracy": found.value,
                        "low": found.low,
                        "high": found.high,
                        "n": found.n,
                    }
                )
    return pd.DataFrame(rows)


def slopes(base: Base, now: Deployment, chance: float) -> ChartType:
    """Accuracy of the original and the unlearned model, one panel a role."""
    frame = accuracies(base, now)
    frame["x"] = (frame["state"] == "unlearned") + np.where(
        frame["precision"] == "NF4", 0.04, -0.04
    )
    panels = [
        _slope(frame.query("role == @role").copy(), role, chance, first=i == 0)
        for i, role in enumerate(frame["role"].unique())
    ]
    title = heading(
        "Accuracy before and after unlearning, in both precisions",
        "Multiple choice by likelihood. Bars: 95 % intervals, facts resampled as a whole. Dashed: "
        f"chance ({chance:.0%}). “New prompts” are templates that training never saw and the "
        f"original model answers (at least {RULES.known:.0%}).",
        "Forget should fall to chance in both colours; retain and utility should stay level.",
    )
    return alt.hconcat(*panels, title=title, spacing=12)


def _slope(frame: pd.DataFrame, role: str, chance: float, first: bool) -> ChartType:
    frame["label"] = _spread(frame)
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
            scale=alt.Scale(domain=[-0.45, 1.45], nice=False),
            axis=alt.Axis(
                values=[0, 1],
                labelExpr="datum.value == 0 ? 'original' : 'unlearned'",
                grid=False,
                ticks=False,
            ),
        ),
        color=alt.Color("precision:N", title=None, scale=PRECISIONS),
    )
    y = alt.Y("accuracy:Q", axis=axis, scale=alt.Scale(domain=[0, 1.02], nice=False))
    tooltip = ["precision", "state", alt.Tooltip("accuracy", format=".3f"), "low", "high", "n"]
    rule = (
        alt.Chart(pd.DataFrame({"y": [chance]}))
        .mark_rule(strokeDash=[4, 3], color=GREY)
        .encode(y="y:Q")
    )
    lines = base.mark_line().encode(y=y)
    ends = base.mark_point(filled=True, size=50, opacity=1).encode(y=y, tooltip=tooltip)
    bars = base.mark_rule(strokeWidth=1.5, opacity=0.7).encode(y=alt.Y("low:Q"), y2="high:Q")
    text = alt.Text("accuracy:Q", format=".2f")
    words = [
        words.encode(y=alt.Y("label:Q"), text=text).transform_filter(alt.datum.state == state)
        for state, words in (
            ("original", base.mark_text(align="right", dx=-9)),
            ("unlearned", base.mark_text(align="left", dx=9)),
        )
    ]
    count = int(frame["n"].iloc[0])
    return alt.layer(rule, bars, lines, ends, *words).properties(
        width=150, height=280, title=alt.Title(role, subtitle=f"n = {count}", fontSize=12)
    )


def _spread(frame: pd.DataFrame, apart: float = 0.045) -> list[float]:
    """Heights of the labels: those of the values, moved apart where they would overlap."""
    heights = frame["accuracy"].tolist()
    for state in _STATES:
        pair = [i for i, named in enumerate(frame["state"]) if named == state]
        low, high = sorted(pair, key=heights.__getitem__)
        lacking = max(0.0, apart - (heights[high] - heights[low]))
        heights[low] -= lacking / 2
        heights[high] += lacking / 2
    return heights


def gap_chart(base: Base, now: Deployment) -> ChartType:
    """PTQ gap, NF4 accuracy minus full-precision accuracy, beside the original model's own."""
    rows = []
    for role, label in ROLES.items():
        kept = _known(base, role)
        for state, measured in zip(_STATES, (base, now), strict=True):
            if not kept.any():
                continue
            fp, nf4 = _by_precision(measured, role).values()
            facts = _chosen(fp.facts, kept)
            gap = paired_gap(nf4.correct[kept], fp.correct[kept], facts, SEED)
            rows.append(
                {"role": label, "state": state, "gap": gap.value, "low": gap.low, "high": gap.high}
            )
    frame = pd.DataFrame(rows)
    colours = alt.Scale(domain=list(_STATES), range=[GREY, VERMILION])
    chart = alt.Chart(frame).encode(
        y=alt.Y("role:N", title=None, sort=list(ROLES.values())),
        yOffset=alt.YOffset("state:N", sort=list(_STATES), scale=alt.Scale(paddingOuter=0.35)),
        color=alt.Color("state:N", title=None, scale=colours),
    )
    x = alt.X(
        "gap:Q", title="PTQ gap: NF4 − full precision (accuracy)", axis=alt.Axis(format="+.2f")
    )
    bars = chart.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q"), x2="high:Q")
    ends = chart.mark_point(filled=True, size=70, opacity=1).encode(
        x=x, tooltip=["role", "state", alt.Tooltip("gap", format="+.3f"), "low", "high"]
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
        "On the forget rows a gap above zero means yes. The original model loses accuracy to NF4 "
        "as well, so its own gap stands beside. 95 % intervals, paired by item. Dashed: the "
        "highest upper end that the permanence rule allows.",
    )
    return (zero + limit + bars + ends + words).properties(width=560, height=300, title=title)


def fact_table(facts: FactSet, base: Base, now: Deployment, rows: int = 60) -> pd.DataFrame:
    """Forget facts that the unlearned model still knows in a precision, those that came back first.

    Known means that more than half of a fact's questions are answered right.
    """
    scores = all_measured(base, now, "forget_seen")
    asked = count_right(facts, scores, np.ones(len(scores["unlearned", "fp"].facts), dtype=bool))
    least = most(asked)
    listed = [
        {
            "fact": one.fact,
            "answer": one.answer,
            **{title: f"{one.right[model]} of {one.n}" for model, title in MODELS.items()},
            "what happened": outcome,
        }
        for outcome in (BACK, KNOWN, LOST)
        for one in asked
        if one.outcome(least) == outcome
    ]
    columns = ["fact", "answer", *MODELS.values(), "what happened"]
    return pd.DataFrame(listed[:rows], columns=columns)


def template_table(facts: FactSet, base: Base, now: Deployment) -> pd.DataFrame:
    """Forget accuracy by prompt template."""
    rows = []
    for role, told in (("forget_seen", "training"), ("forget_held_out", "new")):
        states = [s for m in (base, now) for s in _by_precision(m, role).values()]
        for template in facts.templates:
            chosen = np.array([name == template.id for name in states[0].templates])
            if chosen.any():
                values = [f"{scores.correct[chosen].mean():.2f}" for scores in states]
                rows.append([template.text, told, int(chosen.sum()), *values])
    names = [f"{state} {p}" for state in _STATES for p in ("FP", "NF4")]
    return pd.DataFrame(rows, columns=["prompt", "used in", "n", *names])


def _by_precision(measured: Base | Deployment, role: str) -> dict[str, McqScores]:
    return {"full precision": measured.fp.roles[role], "NF4": measured.nf4.roles[role]}


def _known(base: Base, role: str) -> np.ndarray:
    """Which items count: of new prompts, only templates that the original model answers."""
    scores = base.fp.roles[role]
    if role != "forget_held_out":
        return np.ones(len(scores.templates), dtype=bool)
    known = known_templates(scores)
    return np.array([name in known for name in scores.templates], dtype=bool)


def _chosen(values: Sequence[str], kept: np.ndarray) -> list[str]:
    return [value for value, keep in zip(values, kept, strict=True) if keep]
