"""Charts of the proof: is the circuit gone, or is its output only muffled?"""

from collections.abc import Iterable, Mapping
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from altair.typing import ChartType

from mansu.circuit import Circuit, EdgeScores
from mansu.lab.charts.localize import SIGN
from mansu.lab.theme import GREY, PALE, heading
from mansu.quant.formats import find_format
from mansu.study.rules import RULES
from mansu.study.scorecard import Kind, Row, Rows
from mansu.study.stages.attribute import Attribution
from mansu.study.state import FP, State, format_title

_WIDTH = 540  # of the plotted area of bars, in pixels
POINTS = 2000  # edges drawn a panel; the strongest are always among them


def edge_scatter(
    measured: Mapping[State, Attribution], circuit: Circuit, origin: str = "unlearned"
) -> ChartType:
    """Score of every edge into the circuit, before and after, a panel a format."""
    frames = {
        state.format: _edges(measured[State("original", state.format)].scores, a.scores, circuit)
        for state, a in measured.items()
        if state.origin == origin
    }
    count = len(frames[FP])
    drawn = {name: _thinned(frame) for name, frame in frames.items()}
    limit = max(float(f[["before", "after"]].abs().max().max()) for f in frames.values()) or 1.0
    shown = len(drawn[FP])
    dropped = "" if shown == count else f" The {shown:,} drawn keep the strongest and a sample."
    title = heading(
        "Every edge into the circuit, before and after",
        SIGN + " On the diagonal nothing changed; on the horizontal line the edge is gone; across "
        f"it, the edge works the other way. {count:,} edges a panel.{dropped}",
    )
    panels = [_scatter(frame, form, limit) for form, frame in drawn.items()]
    return alt.hconcat(*panels, title=title, spacing=24)


def edge_panel(
    before: EdgeScores, after: EdgeScores, circuit: Circuit, form: str, least: float = 0.0
) -> ChartType:
    """Score of every edge into the circuit, before and after, in one format.

    Args:
        before: Scores on the original model.
        after: Scores on the unlearned model.
        circuit: The circuit.
        form: The format.
        least: Edges of smaller |score| both before and after are left out; logits.
    """
    frame = _edges(before, after, circuit)
    sizes = frame[["before", "after"]].abs().max(axis=1)
    limit = float(sizes.max()) or 1.0
    kept = frame.loc[sizes >= least].reset_index(drop=True)
    drawn = _thinned(kept)
    title = heading(
        f"Edges into the circuit, {format_title(form)}",
        f"{len(kept):,} of {len(frame):,} edges, {len(drawn):,} drawn. On the diagonal nothing "
        "changed; on the horizontal line the edge is gone; across it, the edge works the other "
        "way.",
        width=380,
    )
    return _scatter(drawn, form, limit).properties(title=title)


def _edges(before: EdgeScores, after: EdgeScores, circuit: Circuit) -> pd.DataFrame:
    graph = before.graph
    parts = []
    for layer in circuit.layers:
        reader = graph.mlp_reader(layer)
        live = graph.mask[:, reader].nonzero()[:, 0]
        parts.append(
            pd.DataFrame(
                {
                    "edge": [f"{graph.source_names[i]} → m{layer}" for i in live.tolist()],
                    "before": before.scores[live, reader].double().numpy(),
                    "after": after.scores[live, reader].double().numpy(),
                }
            )
        )
    frame = pd.concat(parts, ignore_index=True)
    return frame.query("before != 0").reset_index(drop=True)


def _thinned(frame: pd.DataFrame) -> pd.DataFrame:
    if len(frame) <= POINTS:
        return frame
    order = frame[["before", "after"]].abs().max(axis=1).sort_values(ascending=False, kind="stable")
    strongest = order.index[: POINTS // 2]
    rest = np.random.default_rng(0).choice(order.index[POINTS // 2 :], POINTS // 2, replace=False)
    return frame.loc[sorted([*strongest, *rest])]


def _scatter(frame: pd.DataFrame, form: str, limit: float) -> ChartType:
    edge = 1.15 * limit  # so that the outermost points are whole
    scale = alt.Scale(type="symlog", constant=limit / 50, domain=[-edge, edge], nice=False)
    ticks = alt.Axis(values=_ticks(limit), format="~r")
    points = (
        alt.Chart(frame)
        .mark_point(filled=True, size=16, opacity=0.45)
        .encode(
            x=alt.X("before:Q", title="score before (logits)", scale=scale, axis=ticks),
            y=alt.Y("after:Q", title="score after (logits)", scale=scale, axis=ticks),
            color=alt.value(find_format(form).colour),
            tooltip=[
                "edge",
                alt.Tooltip("before", format="+.4f"),
                alt.Tooltip("after", format="+.4f"),
            ],
        )
    )
    ends = np.linspace(-limit, limit, 3)
    diagonal = (
        alt.Chart(pd.DataFrame({"before": ends, "after": ends}))
        .mark_line(color=GREY, strokeDash=[4, 3], strokeWidth=1)
        .encode(x="before:Q", y="after:Q")
    )
    zero = (
        alt.Chart(pd.DataFrame({"y": [0.0]})).mark_rule(color=GREY, strokeWidth=1).encode(y="y:Q")
    )
    return (diagonal + zero + points).properties(
        width=300, height=300, title=alt.Title(format_title(form), fontSize=12)
    )


def _ticks(limit: float) -> list[float]:
    """Round numbers of both signs within the limit: the next power of ten below it, twice."""
    top = 10 ** np.floor(np.log10(limit))
    steps = [top / 10, top] if limit / top >= 2 else [top / 100, top / 10, top]
    return sorted({0.0, *steps, *(-s for s in steps)})


def divergence_chart(rows: Rows, origin: str = "unlearned") -> ChartType:
    """CAD and normalised CAD with their noise floors, 95 % intervals."""
    deployed = rows.formats[1:]
    compared: dict[str, tuple[State, Kind]] = {
        format_title(form): (State(origin, form), "change") for form in rows.formats
    }
    for form in deployed:
        name = "noise floor" if len(deployed) == 1 else f"noise floor, {format_title(form)}"
        compared[name] = State("original", form), "gap"
    measures = {"CAD": "cad", "normalised CAD": "normalised_cad"}
    drawn = [
        _bar("measure", measure, name, rows.at("forget", "circuit", metric, *place))
        for name, place in compared.items()
        for measure, metric in measures.items()
    ]
    ratios = " and ".join(
        f"{_ratio(rows, State(origin, form)):.2f} in {format_title(form)}" for form in rows.formats
    )
    note = (
        "0: the circuit is intact; 1: dismantled; above 1: it works the other way. The noise floor "
        "is what quantization alone does to the untouched model. Normalised CAD does not move when "
        "the model's logits merely shrink. M′/M, what is left of the answer's logit difference: "
        f"{ratios}. Dashed: what CAD must lie above; normalised CAD has its noise floor alone."
    )
    title = heading("How much of the circuit is gone (CAD)", note, width=_WIDTH)
    return _bars(drawn, "measure", _colours(rows, compared), "divergence", RULES.min_cad, title)


def shift_chart(rows: Rows, origin: str = "unlearned") -> ChartType:
    """AS-C and AS-NC, 95 % intervals."""
    parts = {"inside the circuit (AS-C)": "circuit", "outside (AS-NC)": "outside"}
    names = [format_title(form) for form in rows.formats]
    drawn = [
        _bar("part", part, name, rows.at("forget", view, "activation_shift", state, "change"))
        for form, name in zip(rows.formats, names, strict=True)
        for state in [State(origin, form)]
        for part, view in parts.items()
    ]
    title = heading(
        "Where the activations changed",
        "Relative change |δ′ − δ| / |δ| of each node's response to the subject, δ = clean − "
        "corrupted at the last position, averaged over nodes. An erasure that stays local is high "
        "inside, low outside.",
        width=_WIDTH,
    )
    return _bars(drawn, "part", _colours(rows, names), "relative change", None, title)


def _ratio(rows: Rows, state: State) -> float:
    return rows.at("forget", "circuit", "metric_ratio", state, "change").value or 0.0


def _bar(group: str, name: str, compared: str, row: Row) -> dict[str, Any]:
    ends = {"value": row.value, "low": row.low, "high": row.high}
    return {group: name, "compared": compared, **ends}


def _colours(rows: Rows, names: Iterable[str]) -> dict[str, str]:
    """A colour for every bar: its format's own; noise floors are pale."""
    known = {format_title(form): find_format(form).colour for form in rows.formats}
    return {name: known.get(name, PALE) for name in names}


def _bars(
    rows: list[dict[str, Any]],
    group: str,
    colours: dict[str, str],
    label: str,
    bound: float | None,
    title: alt.Title,
) -> ChartType:
    order = list(colours)
    frame = pd.DataFrame(rows)
    base = alt.Chart(frame).encode(
        y=alt.Y(f"{group}:N", title=None, sort=None),
        yOffset=alt.YOffset("compared:N", sort=order),
    )
    x = alt.X("value:Q", title=label, axis=alt.Axis(tickCount=6))
    bars = base.mark_bar(opacity=0.85).encode(
        x=x,
        color=alt.Color(
            "compared:N",
            title=None,
            sort=order,
            scale=alt.Scale(domain=order, range=list(colours.values())),
        ),
        tooltip=[group, "compared", alt.Tooltip("value", format=".3f"), "low", "high"],
    )
    whiskers = base.mark_rule(color="black", strokeWidth=1.5).encode(x=alt.X("low:Q"), x2="high:Q")
    words = base.mark_text(align="left", dx=5).encode(
        x=alt.X("high:Q"), text=alt.Text("value:Q", format=".2f")
    )
    layers = [bars, whiskers, words]
    if bound is not None:
        rule = alt.Chart(pd.DataFrame({"x": [bound]}))
        layers.append(rule.mark_rule(color=GREY, strokeDash=[4, 3]).encode(x="x:Q"))
    return alt.layer(*layers).properties(
        width=_WIDTH, height=70 * len(frame[group].unique()), title=title
    )
