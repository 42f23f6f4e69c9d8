"""Charts of the attribution itself: single edges, signs, and how far the ranking can be trusted."""

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd
import torch
from altair.typing import ChartType

from mansu.circuit import Circuit, EdgeScores, Stability
from mansu.circuit.graph import SourceKind
from mansu.lab.charts.localize import SIGN
from mansu.lab.theme import BLUE, GREY, ORANGE, PALE, SIGNED, WIDTH, heading
from mansu.metrics.significance import accuracy_interval


def strongest_edges(scores: EdgeScores, facts: Sequence[str], count: int = 20) -> pd.DataFrame:
    """The edges of largest |score|; those into MLPs with a 95 % interval over the pairs.

    Args:
        scores: Edge scores.
        facts: The fact of each pair, to resample by.
        count: Rows of the table.
    """
    graph, size = scores.graph, scores.scores.abs()
    layer_of = {int(reader): layer for layer, reader in enumerate(graph.mlp_readers)}
    rows = []
    for cell in size.flatten().topk(min(count, size.numel())).indices.tolist():
        source, reader = divmod(cell, graph.readers)
        score = scores.scores[source, reader].item()
        interval = None
        if reader in layer_of:
            per_pair = scores.mlp_scores[:, source, layer_of[reader]].double().numpy()
            found = accuracy_interval(per_pair, facts)
            interval = f"{found.low:+.3f} to {found.high:+.3f}"
        rows.append(
            {
                "from": graph.source_names[source],
                "to": graph.reader_names[reader],
                "score (logits)": f"{score:+.3f}",
                "95 % interval": interval,
                "meaning": "helps the answer" if score < 0 else "works against it",
                "share of all |score|": f"{abs(score) / size.sum().item():.1%}",
            }
        )
    return pd.DataFrame(rows)


def source_map(scores: EdgeScores) -> ChartType:
    """Net score of everything each source writes, layer × component."""
    graph = scores.graph
    total = scores.scores.sum(1)  # [sources]
    kind, layer, head = graph.source_kind, graph.source_layer, graph.source_head
    frame = pd.DataFrame(
        {
            "layer": layer.tolist(),
            "component": [
                "MLP" if k == SourceKind.MLP else f"head {h}"
                for k, h in zip(kind.tolist(), head.tolist(), strict=True)
            ],
            "score": total.tolist(),
        }
    ).iloc[1:]
    limit = float(frame["score"].abs().max()) or 1.0
    order = [*(f"head {h}" for h in range(graph.heads)), "MLP"]
    title = heading(
        "What each head and MLP contributes to all its readers",
        SIGN + " Orange helps, blue works against the answer.",
        f"The embedding's own sum is {total[0].item():+.3g} logits.",
    )
    return (
        alt.Chart(frame)
        .mark_rect()
        .encode(
            x=alt.X("layer:O", title="layer", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("component:N", title=None, sort=order),
            color=alt.Color(
                "score:Q",
                title="score (logits)",
                scale=alt.Scale(
                    range=SIGNED,
                    domain=[-limit, limit],
                    type="symlog",
                    constant=limit / 10,
                    interpolate="rgb",
                ),
            ),
            tooltip=["layer", "component", alt.Tooltip("score", format="+.3f")],
        )
        .properties(width=WIDTH - 20, height=max(18 * len(order), 100), title=title)
    )


def signed_mass(scores: EdgeScores, circuit: Circuit) -> ChartType:
    """Helpful and hindering score that enters each layer's MLP."""
    graph = scores.graph
    into = scores.scores[:, graph.mlp_readers]  # [sources, layers]
    rows = [
        {"layer": layer, "kind": kind, "score": part[layer].item()}
        for kind, part in (
            ("helps (negative)", into.clamp(max=0).sum(0)),
            ("hinders (positive)", into.clamp(min=0).sum(0)),
        )
        for layer in range(graph.layers)
    ]
    x = alt.X("layer:O", title="layer", axis=alt.Axis(labelAngle=0))
    bars = (
        alt.Chart(pd.DataFrame(rows))
        .mark_bar()
        .encode(
            x=x,
            y=alt.Y("score:Q", title="score into the MLP (logits)", stack=True),
            color=alt.Color(
                "kind:N",
                title=None,
                scale=alt.Scale(
                    domain=["helps (negative)", "hinders (positive)"], range=[ORANGE, BLUE]
                ),
            ),
            tooltip=["layer", "kind", alt.Tooltip("score", format="+.3f")],
        )
    )
    net = pd.DataFrame({"layer": range(graph.layers), "net": into.sum(0).tolist()})
    ticks = alt.Chart(net).mark_tick(color="black", thickness=2, width=12).encode(x=x, y="net:Q")
    title = heading(
        "Help and hindrance that reach each MLP",
        SIGN + " The black tick is the sum of both.",
        f"The circuit: layers {', '.join(map(str, circuit.layers))}.",
    )
    return (bars + ticks).properties(width=WIDTH, height=260, title=title)


def ranking_stability(found: Stability, circuit: Circuit, resamples: int) -> ChartType:
    """How often each layer is in the top-k when the pairs are drawn again."""
    frame = pd.DataFrame(
        {
            "layer": range(len(found.frequency)),
            "frequency": found.frequency.tolist(),
            "part": [
                "circuit" if layer in circuit.layers else "rest"
                for layer in range(len(found.frequency))
            ],
        }
    )
    bars = (
        alt.Chart(frame)
        .mark_bar()
        .encode(
            x=alt.X("layer:O", title="layer", axis=alt.Axis(labelAngle=0)),
            y=alt.Y(
                "frequency:Q",
                title=f"resamples with the layer in the top {len(circuit.layers)}",
                axis=alt.Axis(format="%"),
                scale=alt.Scale(domain=[0, 1]),
            ),
            color=alt.Color(
                "part:N",
                title=None,
                scale=alt.Scale(domain=["circuit", "rest"], range=[BLUE, PALE]),
            ),
            tooltip=["layer", alt.Tooltip("frequency", format=".1%"), "part"],
        )
    )
    half = alt.Chart(pd.DataFrame({"y": [0.5]})).mark_rule(color=GREY, strokeDash=[4, 3])
    title = heading(
        "Would other examples have given the same circuit?",
        f"{resamples} bootstrap resamples of the pairs. Two resamples share {found.overlap:.0%} of "
        f"their top {len(circuit.layers)} on average; Jaccard index with the ranking of all pairs "
        f"{found.jaccard:.2f}.",
        SIGN + " The ranking counts both signs.",
    )
    return (bars + half.encode(y="y:Q")).properties(width=WIDTH, height=220, title=title)


def score_distribution(scores: EdgeScores) -> ChartType:
    """How edge scores spread over orders of magnitude, by sign."""
    values = scores.scores[scores.graph.mask]
    size = values.abs()
    live = size > 0
    every = np.log10(size[live].double().numpy())
    # The smallest half per cent go into the first bin: the tail towards zero never ends.
    edges = np.linspace(np.quantile(every, 0.005), every.max(), 49)
    rows = []
    for kind, chosen in (("helps (negative)", values < 0), ("hinders (positive)", values > 0)):
        logs = np.log10(size[chosen & live].double().numpy()).clip(edges[0], edges[-1])
        counts = np.histogram(logs, edges)[0]
        rows += [
            {"size": 10**at, "edges": int(n), "kind": kind}
            for at, n in zip(edges, [*counts, 0], strict=True)
        ]
    strongest = torch.sort(size, descending=True).values
    half = int((strongest.cumsum(0) < strongest.sum() / 2).sum()) + 1
    title = heading(
        "How edge scores are spread",
        f"{len(values):,} edges; the {half:,} strongest hold half of all |score|; "
        f"{int((~live).sum()):,} score exactly zero.",
        SIGN,
    )
    return (
        alt.Chart(pd.DataFrame(rows))
        .mark_area(interpolate="step-after", fillOpacity=0.2, line=True)
        .encode(
            x=alt.X(
                "size:Q",
                title="|score| (logits, log axis)",
                scale=alt.Scale(type="log", nice=False),
                axis=alt.Axis(format=".0e", tickCount=8),
            ),
            y=alt.Y("edges:Q", title="edges", stack=None),
            color=alt.Color(
                "kind:N",
                title=None,
                scale=alt.Scale(
                    domain=["helps (negative)", "hinders (positive)"], range=[ORANGE, BLUE]
                ),
            ),
            tooltip=["size", "edges", "kind"],
        )
        .properties(width=WIDTH, height=220, title=title)
    )
