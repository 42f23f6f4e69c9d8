"""Charts of phase 1: where the forget set lives, and whether the circuit carries it."""

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd
from altair.typing import ChartType
from transformers import PreTrainedTokenizerBase

from mansu.circuit import Circuit, EdgeScores, Faithfulness, attribution_mass, rank_mlps
from mansu.circuit.graph import ReaderKind, SourceKind
from mansu.data.facts import MASK
from mansu.data.pairs import Pair
from mansu.lab.theme import BLUE, GREY, PALE, VERMILION, WIDTH, heading
from mansu.metrics.significance import cluster_bootstrap

SIGN = "An edge that helps the answer scores negative (M is positive)."


def mlp_ranking(scores: EdgeScores, circuit: Circuit) -> ChartType:
    """Attribution mass that enters each layer's MLP, the circuit highlighted."""
    ranking = rank_mlps(scores)
    frame = pd.DataFrame(
        {
            "layer": range(scores.graph.layers),
            "mass": attribution_mass(scores).tolist(),
            "rank": [ranking.index(layer) + 1 for layer in range(scores.graph.layers)],
            "part": [_part(layer, circuit) for layer in range(scores.graph.layers)],
        }
    )
    base = alt.Chart(frame).encode(
        x=alt.X("layer:O", title="layer", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("mass:Q", title="attribution mass (logits)"),
    )
    colour = alt.Color(
        "part:N",
        title=None,
        scale=alt.Scale(domain=["circuit", "rest"], range=[BLUE, PALE]),
    )
    bars = base.mark_bar().encode(color=colour, tooltip=["layer", "mass", "rank", "part"])
    ranks = base.mark_text(dy=-7, fontSize=10).encode(text="rank:O")
    listed = ", ".join(map(str, circuit.layers))
    title = heading(
        "How much passes through each MLP as the answer is said",
        "Incoming mass at the last position, the sum of |score(u → MLP)| over all u; above each "
        f"bar its rank. Circuit ({circuit.kind}): layers {listed}.",
        f"Mean over {len(scores.metric)} pairs. {SIGN} The mass counts both signs.",
    )
    return (bars + ranks).properties(width=WIDTH, height=240, title=title)


def _part(layer: int, circuit: Circuit) -> str:
    return "circuit" if layer in circuit.layers else "rest"


def mass_map(scores: EdgeScores) -> ChartType:
    """Incoming and outgoing attribution mass, layer × component."""
    graph, size = scores.graph, scores.scores.abs()
    names = {
        ReaderKind.QUERY: "query heads",
        ReaderKind.KEY: "key heads",
        ReaderKind.VALUE: "value heads",
        ReaderKind.MLP: "MLP",
    }
    into, out = size.sum(0), size.sum(1)  # [readers], [sources]
    incoming = [
        {"layer": layer, "component": name, "mass": into[chosen].sum().item()}
        for kind, name in names.items()
        for layer in range(graph.layers)
        if (chosen := (graph.reader_kind == kind) & (graph.reader_layer == layer)).any()
    ]
    outgoing = [
        {"layer": layer, "component": name, "mass": out[chosen].sum().item()}
        for kind, name in ((SourceKind.HEAD, "attention heads"), (SourceKind.MLP, "MLP"))
        for layer in range(graph.layers)
        if (chosen := (graph.source_kind == kind) & (graph.source_layer == layer)).any()
    ]

    def panel(rows: list[dict], title: str) -> ChartType:
        order = list(dict.fromkeys(row["component"] for row in rows))
        return (
            alt.Chart(pd.DataFrame(rows))
            .mark_rect()
            .encode(
                x=alt.X("layer:O", title="layer", axis=alt.Axis(labelAngle=0)),
                y=alt.Y("component:N", title=None, sort=order),
                color=alt.Color(
                    "mass:Q",
                    title="mass (logits)",
                    scale=alt.Scale(scheme="blues", type="sqrt"),
                ),
                tooltip=["layer", "component", "mass"],
            )
            .properties(
                width=WIDTH - 40, height=26 * len(order), title=alt.Title(title, fontSize=12)
            )
        )

    notes = (
        f"Sum of |score| over edges. The embedding's outgoing mass is {out[0].item():.3g} logits, "
        f"the logits' incoming mass {into[graph.logits].item():.3g}.",
        SIGN + " The mass counts both signs.",
    )
    return alt.vconcat(
        panel(incoming, "incoming: what reads"),
        panel(outgoing, "outgoing: what writes"),
        title=heading("Which parts read and write the knowledge", *notes),
    ).resolve_scale(color="shared")


def faithfulness(
    curve: Sequence[Faithfulness], circuit: Circuit, facts: Sequence[str]
) -> ChartType:
    """Share of M that circuits of growing size keep, beside what is left without them.

    Args:
        curve: The top of the ranking at growing sizes, then the run's own circuit.
        circuit: The run's circuit.
        facts: The fact of each pair, to resample by.
    """
    *prefixes, own = curve
    frame = pd.DataFrame([row for point in prefixes for row in _kept(point, facts)])
    marked = pd.DataFrame(_kept(own, facts))
    x = alt.X(
        "size:Q",
        title="MLP sublayers in the circuit",
        axis=alt.Axis(tickMinStep=1, format="d"),
        scale=alt.Scale(nice=False),
    )
    y = alt.Y("share:Q", title="share of M kept", axis=alt.Axis(format="%"))
    colour = alt.Color(
        "kept:N",
        title=None,
        scale=alt.Scale(domain=list(_SIDES), range=[BLUE, VERMILION]),
        legend=alt.Legend(symbolOpacity=1),
    )
    tooltip = ["size", "kept", *(alt.Tooltip(name, format=".1%") for name in _NUMBERS)]
    base = alt.Chart(frame).encode(x=x, color=colour)
    band = base.mark_area(opacity=0.15).encode(y=alt.Y("low:Q"), y2="high:Q")
    line = base.mark_line(point=True).encode(y=y, tooltip=tooltip)
    this = alt.Chart(marked).encode(x=x)
    rule = this.mark_rule(strokeDash=[4, 3], color=GREY)
    ends = this.mark_point(shape="diamond", size=130, opacity=1).encode(
        y=y, color=colour, tooltip=tooltip
    )
    # The higher of the two labels goes above its point, the lower below: they never meet.
    marked["above"] = marked["share"] == marked["share"].max()
    words = [
        mark.encode(y=y, text=alt.Text("share:Q", format=".0%")).transform_filter(
            alt.datum.above == above
        )
        for above, mark in (
            (True, this.mark_text(align="right", dx=-9, dy=-11)),
            (False, this.mark_text(align="left", dx=9, dy=13)),
        )
    ]
    title = heading(
        "Does the circuit carry the answer?",
        "Every MLP outside the circuit (blue), or inside it (orange), writes what it wrote on the "
        "corrupted prompt; 100 % is M on the clean prompt, 0 % on the corrupted one. Layers join "
        "in the order of their attribution mass; bands are 95 % intervals.",
        f"Diamonds: this run's circuit ({circuit.kind}, {len(circuit.layers)} MLPs).",
    )
    layers = alt.layer(rule, band, line, ends, *words)
    return layers.properties(width=WIDTH, height=260, title=title)


_SIDES = ("circuit alone", "model without the circuit")
_NUMBERS = ("share", "low", "high")


def _kept(point: Faithfulness, facts: Sequence[str]) -> list[dict]:
    high, low = point.clean.double().numpy(), point.corrupted.double().numpy()
    rows = []
    for kept, metric in zip(_SIDES, (point.circuit, point.complement), strict=True):
        gain = metric.double().numpy() - low

        def share(weights: np.ndarray, gain: np.ndarray = gain) -> np.ndarray:
            return (weights @ gain) / (weights @ (high - low))  # [draws]

        found = cluster_bootstrap(share, facts)
        numbers = dict(zip(_NUMBERS, (found.value, found.low, found.high), strict=True))
        rows.append({"size": len(point.layers), "kept": kept, **numbers})
    return rows


def pair_table(
    pairs: Sequence[Pair], tokenizer: PreTrainedTokenizerBase, masked: bool
) -> pd.DataFrame:
    """Both prompts of each pair and their answers' first tokens; of masked ones the fact alone."""

    def words(ids: Sequence[int]) -> str:
        return MASK if masked else str(tokenizer.decode(list(ids)))

    told = [
        {
            "fact": pair.fact_id,
            "clean prompt": words(pair.clean),
            "answer": words([pair.clean_answer]),
            "corrupted prompt": words(pair.corrupted),
            "its answer": words([pair.corrupted_answer]),
        }
        for pair in pairs
    ]
    return pd.DataFrame(told)
