"""Charts of phase 3: what the floor did to the bins."""

from collections import Counter

import altair as alt
import numpy as np
import pandas as pd
from altair.typing import ChartType

from mansu.lab.charts.training import matrix_map
from mansu.lab.theme import BLUE, GREY, PALE, WIDTH, heading
from mansu.quant.permanence import RATIO_EDGES

MOST_BARS = 80
_REVERTS = "reverts when quantized"


def ratio_histogram(accounts: pd.DataFrame) -> ChartType:
    """Update-to-bin ratio |Δ| / bin of the changed weights, on a log axis."""
    total = accounts.iloc[-1]
    counts = np.array(total["ratio_histogram"])
    used = np.flatnonzero(counts)
    first, last = (used[0], used[-1] + 1) if len(used) else (len(counts) // 2, len(counts))
    # From 0.01 to 10 at least, so that charts of several runs can be compared.
    one = int(np.searchsorted(RATIO_EDGES, 0))
    shown = slice(min(first, one - 8), max(last, one + 4))
    frame = pd.DataFrame(
        {
            "low": 10 ** RATIO_EDGES[:-1][shown],
            "high": 10 ** RATIO_EDGES[1:][shown],
            "weights": counts[shown],
        }
    )
    bars = (
        alt.Chart(frame)
        .mark_rect(color=BLUE, stroke="white", strokeWidth=0.5)
        .encode(
            x=alt.X(
                "low:Q",
                title="|Δ| / width of the original's bin (log axis)",
                scale=alt.Scale(type="log", nice=False),
                axis=alt.Axis(format="~g"),
            ),
            x2="high:Q",
            y=alt.Y("weights:Q", title="changed weights", axis=alt.Axis(format="~s")),
            y2=alt.datum(0),
            tooltip=["low", "high", "weights"],
        )
    )
    one_frame = pd.DataFrame({"x": [1.0]})
    rule = alt.Chart(one_frame).mark_rule(color=GREY, strokeDash=[4, 3]).encode(x="x:Q")
    words = (
        alt.Chart(one_frame).mark_text(y=-7, color=GREY).encode(x="x:Q", text=alt.value("one bin"))
    )
    note = "Nothing changed."
    if total["changed"]:
        note = (
            f"{total['changed']:,} changed weights; median {total['ratio_median']:.2g} bins, 5th "
            f"to 95th percentile {total['ratio_p05']:.2g} to {total['ratio_p95']:.2g}. "
            "Far left of the line an update vanishes when the model is quantized."
        )
    title = heading("How large the updates are, measured in bins", note)
    return (bars + rule + words).properties(width=WIDTH, height=230, title=title)


def crossings(accounts: pd.DataFrame) -> ChartType:
    """How many bin boundaries the changed weights crossed."""
    total = accounts.iloc[-1]
    counts = list(total["crossings"])
    last = max([i for i, n in enumerate(counts) if n], default=0)
    changed = max(int(total["changed"]), 1)
    frame = pd.DataFrame(
        {
            "boundaries": range(max(last, 3) + 1),
            "weights": counts[: max(last, 3) + 1],
            "fate": [_REVERTS] + ["survives"] * max(last, 3),
        }
    )
    frame["share"] = frame["weights"] / changed
    base = alt.Chart(frame).encode(
        x=alt.X("boundaries:O", title="boundaries crossed", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("weights:Q", title="changed weights", axis=alt.Axis(format="~s")),
    )
    bars = base.mark_bar().encode(
        color=alt.Color(
            "fate:N",
            title=None,
            scale=alt.Scale(domain=["survives", _REVERTS], range=[BLUE, PALE]),
        ),
        tooltip=["boundaries", "weights", alt.Tooltip("share", format=".2%")],
    )
    words = base.mark_text(dy=-7).encode(text=alt.Text("share:Q", format=".1%"))
    title = heading(
        "How many boundaries each update crosses",
        f"{total['survived']:,} of {total['changed']:,} changed weights have a new code"
        + (f" (survival {total['survival']:.4g})." if total["changed"] else "."),
        f"Collateral: {total['collateral']:,} unchanged weights whose code changed because their "
        f"block's scale moved ({total['moved_blocks']:,} of {total['blocks']:,} blocks).",
    )
    return (bars + words).properties(width=WIDTH, height=220, title=title)


def fates(accounts: pd.DataFrame) -> ChartType:
    """What the quantizer makes of every matrix's updates: kept, or rounded away.

    Where there are too many matrices to read, those of a layer share a bar.
    """
    named = len(accounts) - 1 <= MOST_BARS
    totals: Counter[tuple[str, str]] = Counter()
    for _, row in accounts.iloc[:-1].iterrows():
        matrix = f"{row['layer']} {row['projection']}" if named else f"{row['layer']}"
        totals[matrix, "crosses a boundary"] += int(row["survived"])
        totals[matrix, _REVERTS] += int(row["changed"] - row["survived"])
    frame = pd.DataFrame(
        [{"matrix": m, "fate": fate, "weights": n} for (m, fate), n in totals.items()]
    )
    order = list(dict.fromkeys(frame["matrix"]))
    fate = alt.Color(
        "fate:N",
        title=None,
        scale=alt.Scale(domain=["crosses a boundary", _REVERTS], range=[BLUE, PALE]),
    )
    total = accounts.iloc[-1]
    title = heading(
        f"What the quantizer makes of the updates, {'matrix by matrix' if named else 'by layer'}",
        f"{total['survived']:,} of {total['changed']:,} changed weights cross a boundary of their "
        f"bin; the other {total['changed'] - total['survived']:,} would revert.",
    )
    return (
        alt.Chart(frame)
        .mark_bar()
        .encode(
            x=alt.X("weights:Q", title="changed weights", axis=alt.Axis(format="~s")),
            y=alt.Y("matrix:N", title="layer and projection" if named else "layer", sort=order),
            color=fate,
            tooltip=["matrix", "fate", alt.Tooltip("weights", format=",")],
        )
        .properties(width=WIDTH - 60, height=18 * len(order), title=title)
    )


def survival_map(accounts: pd.DataFrame) -> ChartType:
    """Survival of each matrix's updates."""
    frame = _matrices(accounts, ["survival", "changed", "survived", "collateral"])
    frame["survival"] = frame["survival"].astype(float)
    return matrix_map(
        frame,
        "survival",
        "survival",
        ".1%",
        1.0,
        heading(
            "Survival: changed weights whose code changed",
            f"Collateral, over all matrices: {int(accounts.iloc[-1]['collateral']):,} weights.",
        ),
    )


def changed_map(accounts: pd.DataFrame) -> ChartType:
    """Share of each matrix that changed."""
    frame = _matrices(accounts, ["changed_fraction", "changed", "size"])
    total = accounts.iloc[-1]
    return matrix_map(
        frame,
        "changed_fraction",
        "share changed",
        ".2%",
        None,
        heading(
            "How much of each matrix changed",
            f"{total['changed']:,} of the circuit's {total['size']:,} weights "
            f"({total['changed_fraction']:.2%}).",
        ),
    )


def matrix_table(accounts: pd.DataFrame) -> pd.DataFrame:
    """The account, one row a matrix, the total last."""
    return pd.DataFrame(
        {
            "matrix": accounts["name"],
            "weights": accounts["size"].map("{:,}".format),
            "changed": accounts["changed"].map("{:,}".format),
            "changed share": accounts["changed_fraction"].map("{:.2%}".format),
            "survival": accounts["survival"].map(_number),
            "collateral": accounts["collateral"].map("{:,}".format),
            "blocks whose scale moved": accounts["moved_blocks"].map("{:,}".format),
            "|Δ|/bin, median": accounts["ratio_median"].map(_number),
        }
    )


def _matrices(accounts: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    return accounts.iloc[:-1][["layer", "projection", *columns]].copy()


def _number(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:.4g}"
