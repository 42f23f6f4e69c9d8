"""The circuit as a layered graph, as a chart: the still picture of the widget."""

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd
from altair.typing import ChartType

from mansu.circuit import Circuit, EdgeScores
from mansu.lab.charts.localize import SIGN
from mansu.lab.theme import BLUE, GREY, INK, ORANGE, WIDTH, heading
from mansu.lab.widgets.layout import MLP_COLUMN, Drawing, Node, draw_edges

EDGES = 150  # fewer than the widget draws: a picture cannot be filtered
_POINTS = 13  # of a curve


def circuit_graph(scores: EdgeScores, circuit: Circuit, name: str = "") -> ChartType:
    """Nodes by layer, the strongest edges by score and sign, the circuit's MLPs filled.

    Args:
        scores: Edge scores.
        circuit: Whose MLPs are filled.
        name: What the scores are of, for the title.
    """
    drawing = draw_edges(scores, EDGES)
    left = drawing.total - len(drawing.edges)
    title = heading(
        "The circuit as a graph" + (f": {name}" if name else ""),
        f"The {len(drawing.edges)} strongest edges; the other {left:,} of {drawing.total:,} are "
        f"left out. Drawn edges hold {drawing.share:.0%} of all |score|. Filled: the circuit's "
        f"MLPs ({circuit.kind}, layers {', '.join(map(str, circuit.layers))}).",
        SIGN + " Orange helps, blue works against the answer; width grows with |score|.",
    )
    width = WIDTH
    height = int(min(620, max(260, 26 * (scores.graph.layers + 2))))
    return (
        alt.layer(_edges(drawing), *_nodes(drawing.nodes, circuit))
        .properties(width=width, height=height, title=title)
        .resolve_scale(color="independent")
    )


def kept_share(scores: EdgeScores) -> ChartType:
    """Share of all |score| that the strongest edges hold, by their number."""
    size = scores.scores[scores.graph.mask].abs().sort(descending=True).values.double().numpy()
    held = np.cumsum(size) / (size.sum() or 1.0)
    # As many points as the eye tells apart on a log axis.
    counts = np.unique(np.geomspace(1, len(size), 120).round().astype(int))
    frame = pd.DataFrame({"edges": counts, "held": held[counts - 1], "least": size[counts - 1]})
    marked = [int(np.searchsorted(held, share)) + 1 for share in (0.5, 0.9)]
    title = heading(
        "How few edges hold the score",
        f"{len(size):,} edges; the {marked[0]:,} strongest hold half of all |score|, the "
        f"{marked[1]:,} strongest nine tenths.",
        SIGN + " Both signs count.",
    )
    rule = alt.Chart(pd.DataFrame({"held": [0.5, 0.9]})).mark_rule(color=GREY, strokeDash=[4, 3])
    line = (
        alt.Chart(frame)
        .mark_line()
        .encode(
            x=alt.X("edges:Q", title="strongest edges (log axis)", scale=alt.Scale(type="log")),
            y=alt.Y("held:Q", title="share of all |score|", axis=alt.Axis(format="%")),
            tooltip=[
                "edges",
                alt.Tooltip("held", format=".1%"),
                alt.Tooltip("least", format=".2g", title="least |score| (logits)"),
            ],
        )
    )
    return (rule.encode(y="held:Q") + line).properties(width=WIDTH, height=220, title=title)


def _edges(drawing: Drawing) -> ChartType:
    at = {node.name: (node.x, node.y) for node in drawing.nodes}
    strongest = max((abs(edge.score) for edge in drawing.edges), default=1.0)
    rows = []
    # Weak edges first, so that strong ones lie on top.
    for number, edge in enumerate(reversed(drawing.edges)):
        share = (abs(edge.score) / strongest) ** 0.5
        for x, y, step in _curve(at[edge.source], at[edge.target]):
            rows.append(
                {
                    "edge": number,
                    "step": step,
                    "x": x,
                    "y": y,
                    "width": round(0.4 + 4.6 * share, 2),
                    "opacity": round(0.25 + 0.6 * share, 2),
                    "colour": ORANGE if edge.score < 0 else BLUE,
                }
            )
    columns = ["edge", "step", "x", "y", "width", "opacity", "colour"]
    hidden = alt.Axis(labels=False, ticks=False, domain=False, grid=False, title=None)
    return (
        alt.Chart(pd.DataFrame(rows, columns=columns))
        .mark_line()
        .encode(
            x=alt.X("x:Q", axis=hidden, scale=alt.Scale(nice=False, zero=False)),
            y=alt.Y("y:Q", axis=hidden, scale=alt.Scale(nice=False, zero=False)),
            detail="edge:N",
            order="step:O",
            strokeWidth=alt.StrokeWidth("width:Q", scale=None, legend=None),
            strokeOpacity=alt.StrokeOpacity("opacity:Q", scale=None, legend=None),
            color=alt.Color("colour:N", scale=None, legend=None),
        )
    )


def _curve(start: tuple[float, float], end: tuple[float, float]) -> list[tuple[float, float, int]]:
    """Points of an edge: an arc within a column, else a curve; MLPs are met sideways."""
    (x1, y1), (x2, y2) = start, end
    if x1 == x2:
        bend = 0.4 + 0.09 * (y2 - y1)
        controls = [(x1 - bend * 1.33, y1), (x1 - bend * 1.33, y2)]
    else:
        middle = (y1 + y2) / 2
        controls = [
            (x1 + (x2 - x1) / 2, y1) if x1 == MLP_COLUMN else (x1, middle),
            (x2 + (x1 - x2) / 2, y2) if x2 == MLP_COLUMN else (x2, middle),
        ]
    corners = np.array([start, *controls, end])
    t = np.linspace(0, 1, _POINTS)[:, None]
    weights = np.concatenate([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3], 1)
    points = (weights @ corners).round(3).tolist()
    return [(x, y, step) for step, (x, y) in enumerate(points)]


def _nodes(nodes: Sequence[Node], circuit: Circuit) -> list[ChartType]:
    shapes = {"head": "circle", "kv": "diamond"}
    frame = pd.DataFrame(
        {
            "node": [node.name for node in nodes],
            "what": [node.title for node in nodes],
            "x": [node.x for node in nodes],
            "y": [node.y for node in nodes],
            "shape": [shapes.get(node.kind, "square") for node in nodes],
            "fill": [
                INK if node.kind == "mlp" and node.layer in circuit.layers else "white"
                for node in nodes
            ],
            "label": [node.name if node.kind in ("mlp", "emb", "logits") else "" for node in nodes],
        }
    )
    base = alt.Chart(frame).encode(x="x:Q", y="y:Q")
    marks = base.mark_point(filled=True, size=60, opacity=1, stroke=GREY, strokeWidth=1).encode(
        shape=alt.Shape("shape:N", scale=None, legend=None),
        fill=alt.Fill("fill:N", scale=None, legend=None),
        tooltip=["node", "what"],
    )
    words = [
        mark.encode(text="label:N").transform_filter(f"(datum.x == {MLP_COLUMN}) == {inside}")
        for inside, mark in (
            ("true", base.mark_text(align="right", dx=-8, fontSize=10)),
            ("false", base.mark_text(align="left", dx=8, fontSize=10)),
        )
    ]
    return [marks, *words]
