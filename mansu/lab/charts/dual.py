"""Charts that set several unlearned models side by side."""

from collections.abc import Mapping

import altair as alt
import numpy as np
import pandas as pd
from altair.typing import ChartType

from mansu.lab.charts.behaviour import ROLES
from mansu.lab.charts.precisions import looks, slope_panel
from mansu.lab.theme import INK, WIDTH, heading
from mansu.quant.permanence import RATIO_EDGES
from mansu.study.stages.measure import Behaviour
from mansu.study.state import FP

_SEEN = 1e-3  # a share that makes a visible bar


def quantization_slopes(
    models: Mapping[str, Mapping[str, Behaviour]], chance: float, nf4: bool = True
) -> ChartType:
    """Accuracy from full precision to NF4, a line a model: on the forget set and on the retain set.

    Args:
        models: Answers by format, by the model's title; ``original`` first.
        chance: Accuracy of guessing.
        nf4: Whether to show NF4; its place stays empty otherwise.
    """
    panels = [_panel(models, role, chance, nf4) for role in ("forget_seen", "retain")]
    title = heading(
        "What quantization does to the answers" if nf4 else "What unlearning does to the answers",
        f"{'From full precision to NF4' if nf4 else 'In full precision'}. Bars: 95 % intervals, "
        f"facts resampled as a whole. Dashed: chance ({chance:.0%}). Forget should end low; retain "
        "should stay where the original is.",
    )
    return alt.hconcat(*panels, title=title, spacing=40)


def _panel(
    models: Mapping[str, Mapping[str, Behaviour]], role: str, chance: float, nf4: bool
) -> ChartType:
    scores = {
        name: {f: b.roles[role] for f, b in answers.items() if nf4 or f == FP}
        for name, answers in models.items()
    }
    count = len(next(iter(scores.values()))[FP].correct)
    panel = slope_panel(scores, np.ones(count, dtype=bool), chance)
    return panel.properties(
        width=270, title=alt.Title(ROLES[role], subtitle=f"n = {count}", fontSize=12)
    )


def ratio_strips(accounts: Mapping[str, pd.DataFrame]) -> ChartType:
    """Update-to-bin ratio |Δ| / bin of every model's changed weights, on one log axis.

    Args:
        accounts: Permanence accounting by the method's title; the total is the last line.
    """
    totals = {name: frame.iloc[-1] for name, frame in accounts.items()}
    frame = _histograms(totals)
    x = alt.X(
        "low:Q",
        title="|Δ| / width of the original's bin (log axis)",
        scale=alt.Scale(type="log", nice=False),
        axis=alt.Axis(format="~g"),
    )
    base = alt.Chart(frame)
    bars = base.mark_rect(stroke="white", strokeWidth=0.5).encode(
        x=x,
        x2="high:Q",
        y=alt.Y("share:Q", title="share of changed", axis=alt.Axis(format="%", tickCount=3)),
        y2=alt.datum(0),
        color=alt.Color("method:N", scale=looks(accounts), legend=None),
        tooltip=["method", "low", "high", alt.Tooltip("share", format=".2%")],
    )
    rule = base.mark_rule(color=INK, strokeDash=[4, 3]).encode(x=alt.datum(1.0))
    strips = (
        alt.layer(bars, rule)
        .properties(width=WIDTH - 40, height=80)
        .facet(
            row=alt.Row(
                "method:N",
                title=None,
                sort=list(accounts),
                header=alt.Header(labelAngle=0, labelOrient="top", labelAnchor="start"),
            ),
            spacing=10,
        )
    )
    told = [
        f"{name}: {total['changed']:,} weights changed, median {total['ratio_median']:.2g} bins, "
        f"{total['survived'] / total['changed']:.1%} change their code."
        for name, total in totals.items()
        if total["changed"]
    ]
    return strips.properties(
        title=heading(
            "How large the updates are, measured in bins",
            "Dashed: one bin. Beyond it every update crosses a boundary; below it, one of r bins "
            "crosses in about a share r of cases, unless it was chosen to cross.",
            *told,
        )
    )


def _histograms(totals: Mapping[str, pd.Series]) -> pd.DataFrame:
    """Share of the changed weights by ratio, a line a method and bin; empty ends are left out."""
    counts = {name: np.array(total["ratio_histogram"]) for name, total in totals.items()}
    shares = {name: count / max(int(count.sum()), 1) for name, count in counts.items()}
    used = np.flatnonzero(sum(share > _SEEN for share in shares.values()))
    one = int(np.searchsorted(RATIO_EDGES, 0))
    first, last = (int(used[0]), int(used[-1]) + 1) if len(used) else (one, one)
    shown = slice(min(first, one - 8), max(last, one + 4))
    ends = {"low": 10 ** RATIO_EDGES[:-1][shown], "high": 10 ** RATIO_EDGES[1:][shown]}
    lines = [
        pd.DataFrame({"method": name, **ends, "share": share[shown]})
        for name, share in shares.items()
    ]
    return pd.concat(lines)
