"""Charts of how far the attribution can be trusted."""

import altair as alt
import pandas as pd
from altair.typing import ChartType

from mansu.circuit.agreement import Quality
from mansu.circuit.graph import Graph
from mansu.lab.theme import BLUE, GREY, PALE, WIDTH, heading
from mansu.study.stages.quality import CircuitQuality


def methods_table(found: Quality) -> pd.DataFrame:
    """Every way to score edges: what it costs, and what it agrees with."""
    rows = [
        {
            "method": row.name,
            "seconds": f"{row.seconds:.1f}",
            "Spearman with patching (sampled edges)": f"{row.patching:.3f}",
            "Spearman with the finest grid (all edges)": f"{row.reference:.3f}",
            "circuit shared with the finest grid": f"{row.overlap:.0%}",
        }
        for row in found.rows
    ]
    edges = len(found.edges)
    whole = found.patching_seconds / edges * found.all_edges
    rows.append(
        {
            "method": f"exact patching of {edges} edges",
            "seconds": f"{found.patching_seconds:.1f}",
            "Spearman with patching (sampled edges)": "1 by definition",
            "Spearman with the finest grid (all edges)": "–",
            "circuit shared with the finest grid": f"all {found.all_edges:,} edges would take "
            f"about {_duration(whole)}",
        }
    )
    return pd.DataFrame(rows)


def _duration(seconds: float) -> str:
    minutes = seconds / 60
    return f"{minutes:.1f} min" if minutes < 90 else f"{minutes / 60:.1f} h"


def patching_scatter(found: Quality, graph: Graph) -> ChartType:
    """Score of an edge against what patching it really does, by method."""
    names = [f"{graph.source_names[s]} → {graph.reader_names[r]}" for s, r in found.edges.tolist()]
    frame = pd.DataFrame(
        [
            {"method": row.name, "edge": name, "score": score, "patched": patched}
            for row, scores in zip(found.rows, found.scored.tolist(), strict=True)
            for name, score, patched in zip(names, scores, found.patched.tolist(), strict=True)
        ]
    )
    shown = [found.rows[0].name, found.rows[-1].name]
    frame = frame[frame["method"].isin(shown)]
    limit = max(found.scored.abs().max().item(), found.patched.abs().max().item()) or 1.0
    # Effects span orders of magnitude on both sides of zero.
    scale = alt.Scale(type="symlog", constant=limit / 100, domain=[-limit, limit])
    line = (
        alt.Chart(pd.DataFrame({"v": [-limit, limit]}))
        .mark_line(color=GREY, strokeDash=[4, 3])
        .encode(x=alt.X("v:Q", scale=scale), y=alt.Y("v:Q", scale=scale))
    )
    axis = alt.Axis(format="~r", tickCount=7)
    points = (
        alt.Chart(frame)
        .mark_point(filled=True, size=45, opacity=0.8)
        .encode(
            x=alt.X("patched:Q", title="change of M when patched (logits)", scale=scale, axis=axis),
            y=alt.Y("score:Q", title="score (logits)", scale=scale, axis=axis),
            color=alt.Color(
                "method:N", title=None, scale=alt.Scale(domain=shown, range=[GREY, BLUE])
            ),
            tooltip=["method", "edge", "score", "patched"],
        )
    )
    title = heading(
        "Does a score say what patching the edge would do?",
        f"{len(found.edges)} edges from the strongest to the weakest, mean over {found.pairs} "
        "pairs. On the dashed line the estimate is exact. Negative: the edge helps the answer.",
    )
    return (line + points).properties(width=420, height=420, title=title)


def draws_chart(found: CircuitQuality, top_k: int) -> ChartType:
    """Rank of every MLP under the run's pairs and under other draws of pairs."""
    labels = ["the run's pairs"] + [f"draw {n}" for n in range(1, len(found.rankings))]
    frame = pd.DataFrame(
        [
            {
                "pairs": label,
                "layer": layer,
                "rank": ranking.index(layer) + 1,
                "part": "circuit" if found.rankings[0].index(layer) < top_k else "rest",
            }
            for label, ranking in zip(labels, found.rankings, strict=True)
            for layer in range(len(ranking))
        ]
    )
    shared = ", ".join(f"{overlap:.0%}" for overlap in found.overlaps)
    fresh = ", ".join(f"{share:.0%}" for share in found.fresh_pairs)
    title = heading(
        "Do other pairs give the same ranking?",
        f"Other draws share {shared} of the top {top_k}; {fresh} of their pairs are new.",
        "Below the dashed line a layer is outside the circuit.",
    )
    cut = (
        alt.Chart(pd.DataFrame({"y": [top_k + 0.5]}))
        .mark_rule(color=GREY, strokeDash=[4, 3])
        .encode(y="y:Q")
    )
    base = alt.Chart(frame).encode(
        x=alt.X("pairs:N", title=None, sort=labels, axis=alt.Axis(labelAngle=0)),
        y=alt.Y("rank:Q", title="rank", scale=alt.Scale(reverse=True, zero=False)),
        color=alt.Color(
            "part:N", title=None, scale=alt.Scale(domain=["circuit", "rest"], range=[BLUE, PALE])
        ),
        detail="layer:O",
    )
    lines = base.mark_line(strokeWidth=1.5, point=alt.OverlayMarkDef(filled=True, size=30))
    last = base.transform_filter(alt.datum.pairs == labels[-1])
    words = last.mark_text(align="left", dx=8, fontSize=10).encode(
        text="layer:O", color=alt.value(GREY)
    )
    return (cut + lines + words).properties(width=WIDTH - 60, height=420, title=title)
