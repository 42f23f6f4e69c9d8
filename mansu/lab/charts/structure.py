"""Charts of the proof: is the circuit gone, or is its output only muffled?"""

from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from altair.typing import ChartType

from mansu.circuit import Circuit, EdgeScores
from mansu.lab.charts.localize import SIGN
from mansu.lab.theme import BLUE, GREY, PALE, PRECISIONS, VERMILION, heading
from mansu.study.scorecard import RULES
from mansu.study.stages.analyse import Structure
from mansu.study.stages.states import Attributions

_WIDTH = 540  # of the plotted area of bars, in pixels
POINTS = 2000  # edges drawn a panel; the strongest are always among them


def edge_scatter(states: Attributions, circuit: Circuit) -> ChartType:
    """Score of every edge into the circuit, before and after, in both precisions."""
    compared = {
        "full precision": (states.original.scores, states.unlearned.scores),
        "NF4": (states.original_nf4.scores, states.unlearned_nf4.scores),
    }
    frames = {name: _edges(*pair, circuit) for name, pair in compared.items()}
    count = len(frames["NF4"])
    drawn = {name: _thinned(frame) for name, frame in frames.items()}
    limit = max(float(f[["before", "after"]].abs().max().max()) for f in frames.values()) or 1.0
    shown = len(drawn["NF4"])
    dropped = "" if shown == count else f" The {shown:,} drawn keep the strongest and a sample."
    title = heading(
        "Every edge into the circuit, before and after",
        SIGN + " On the diagonal nothing changed; on the horizontal line the edge is gone; across "
        f"it, the edge works the other way. {count:,} edges a panel.{dropped}",
    )
    panels = [_scatter(frame, name, limit) for name, frame in drawn.items()]
    return alt.hconcat(*panels, title=title, spacing=24)


def edge_panel(
    before: EdgeScores, after: EdgeScores, circuit: Circuit, precision: str, least: float = 0.0
) -> ChartType:
    """Score of every edge into the circuit, before and after, in one precision.

    Args:
        before: Scores on the original model.
        after: Scores on the unlearned model.
        circuit: The circuit.
        precision: What the panel is called, ``full precision`` or ``NF4``.
        least: Edges of smaller |score| both before and after are left out; logits.
    """
    frame = _edges(before, after, circuit)
    sizes = frame[["before", "after"]].abs().max(axis=1)
    limit = float(sizes.max()) or 1.0
    kept = frame.loc[sizes >= least].reset_index(drop=True)
    drawn = _thinned(kept)
    title = heading(
        f"Edges into the circuit, {precision}",
        f"{len(kept):,} of {len(frame):,} edges, {len(drawn):,} drawn. On the diagonal nothing "
        "changed; on the horizontal line the edge is gone; across it, the edge works the other "
        "way.",
        width=340,
    )
    return _scatter(drawn, precision, limit).properties(title=title)


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


def _scatter(frame: pd.DataFrame, name: str, limit: float) -> ChartType:
    edge = 1.15 * limit  # so that the outermost points are whole
    scale = alt.Scale(type="symlog", constant=limit / 50, domain=[-edge, edge], nice=False)
    ticks = alt.Axis(values=_ticks(limit), format="~r")
    points = (
        alt.Chart(frame)
        .mark_point(filled=True, size=16, opacity=0.45)
        .encode(
            x=alt.X("before:Q", title="score before (logits)", scale=scale, axis=ticks),
            y=alt.Y("after:Q", title="score after (logits)", scale=scale, axis=ticks),
            color=alt.value(BLUE if name == "full precision" else VERMILION),
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
        width=300, height=300, title=alt.Title(name, fontSize=12)
    )


def _ticks(limit: float) -> list[float]:
    """Round numbers of both signs within the limit: the next power of ten below it, twice."""
    top = 10 ** np.floor(np.log10(limit))
    steps = [top / 10, top] if limit / top >= 2 else [top / 100, top / 10, top]
    return sorted({0.0, *steps, *(-s for s in steps)})


def divergence_chart(structure: Structure) -> ChartType:
    """CAD and normalised CAD with their noise floor, 95 % intervals."""
    rows = []
    for name, found in (
        ("full precision", structure.fp),
        ("NF4", structure.nf4),
        ("noise floor", structure.noise),
    ):
        for measure, estimate in (("CAD", found.cad), ("normalised CAD", found.normalised)):
            rows.append(
                {
                    "measure": measure,
                    "compared": name,
                    "value": estimate.value,
                    "low": estimate.low,
                    "high": estimate.high,
                }
            )
    note = (
        "0: the circuit is intact; 1: dismantled; above 1: it works the other way. The noise floor "
        "is what NF4 alone does to the untouched model. Normalised CAD does not move when the "
        "model's logits merely shrink. M′/M, what is left of the answer's logit difference: "
        f"{structure.fp.metric_ratio:.2f} in full precision, "
        f"{structure.nf4.metric_ratio:.2f} in NF4. Dashed: what CAD must reach."
    )
    title = heading("How much of the circuit is gone (CAD)", note, width=_WIDTH)
    order = ["full precision", "NF4", "noise floor"]
    return _bars(rows, "measure", order, "divergence", RULES.min_cad, title)


def shift_chart(structure: Structure) -> ChartType:
    """AS-C and AS-NC, 95 % intervals."""
    rows = [
        {
            "part": part,
            "compared": name,
            "value": estimate.value,
            "low": estimate.low,
            "high": estimate.high,
        }
        for name, found in (("full precision", structure.shift_fp), ("NF4", structure.shift_nf4))
        for part, estimate in (
            ("inside the circuit (AS-C)", found.inside),
            ("outside (AS-NC)", found.outside),
        )
    ]
    title = heading(
        "Where the activations changed",
        "Relative change |δ′ − δ| / |δ| of each node's response to the subject, δ = clean − "
        "corrupted at the last position, averaged over nodes. An erasure that stays local is high "
        "inside, low outside.",
        width=_WIDTH,
    )
    return _bars(rows, "part", ["full precision", "NF4"], "relative change", None, title)


def _bars(
    rows: list[dict[str, Any]],
    group: str,
    order: list[str],
    label: str,
    bound: float | None,
    title: alt.Title,
) -> ChartType:
    colours = [*PRECISIONS.to_dict()["range"], PALE][: len(order)]
    frame = pd.DataFrame(rows)
    base = alt.Chart(frame).encode(
        y=alt.Y(f"{group}:N", title=None, sort=None),
        yOffset=alt.YOffset("compared:N", sort=order),
    )
    x = alt.X("value:Q", title=label, axis=alt.Axis(tickCount=6))
    bars = base.mark_bar(opacity=0.85).encode(
        x=x,
        color=alt.Color(
            "compared:N", title=None, sort=order, scale=alt.Scale(domain=order, range=colours)
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
