"""Theorem 1's bound on the retain loss, term by term, for some updates of the circuit."""

from collections.abc import Mapping

import altair as alt
import pandas as pd
from altair.typing import ChartType

from mansu.lab.theme import BLUE, ORANGE, WIDTH, heading
from mansu.theory import Sharpness

_TERMS = ("gradient", "curvature")


def bound_terms(circuit: Sharpness, lengths: Mapping[str, float]) -> ChartType:
    """The bound's two terms, a bar an update.

    Args:
        circuit: Gradient and curvature of the retain loss over the circuit.
        lengths: The length of each update's Δ, by what a reader calls it.
    """
    rows = [
        {"update": name, "term": term, "nats": nats, "order": order}
        for name, length in lengths.items()
        for order, (term, nats) in enumerate(
            zip(_TERMS, (circuit.linear(length), circuit.quadratic(length)), strict=True)
        )
    ]
    totals = [{"update": name, "nats": circuit.bound(length)} for name, length in lengths.items()]
    y = alt.Y("update:N", title=None, sort=list(lengths))
    most = max(row["nats"] for row in totals) or 1.0
    scale = alt.Scale(domain=[0, 1.18 * most], nice=False)  # the total stands behind the bar
    x = alt.X("nats:Q", title="bound on the rise of the retain loss (nats)", scale=scale)
    bars = (
        alt.Chart(pd.DataFrame(rows))
        .mark_bar(stroke="white")
        .encode(
            y=y,
            x=x,
            color=alt.Color(
                "term:N", title=None, scale=alt.Scale(domain=list(_TERMS), range=[BLUE, ORANGE])
            ),
            order="order:Q",
            tooltip=["update:N", "term:N", alt.Tooltip("nats:Q", format=".3g")],
        )
    )
    words = (
        alt.Chart(pd.DataFrame(totals))
        .mark_text(align="left", dx=5, fontSize=12)
        .encode(y=y, x=x, text=alt.Text("nats:Q", format=".3g"))
    )
    title = heading(
        "What the update may cost the retain set",
        "Theorem 1: the gradient's length times the update's, plus half the largest curvature (its "
        "upper bound) times its square; both taken at the original weights.",
        width=WIDTH - 100,
    )
    return (bars + words).properties(width=WIDTH - 100, height=90, title=title)
