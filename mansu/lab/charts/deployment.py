"""Charts of full precision against the formats: accuracy of some questions, the next tokens."""

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
import pandas as pd
from altair.typing import ChartType

from mansu.lab.charts.precisions import slope_panel
from mansu.lab.theme import heading
from mansu.metrics.generation import Continuation
from mansu.metrics.mcq import McqScores
from mansu.quant.formats import find_format
from mansu.study.state import State, find_origin

_WIDTH = 480  # of the slopes' plotted area, in pixels


def precision_slopes(
    scores: Mapping[State, McqScores], kept: np.ndarray, role: str, chance: float
) -> ChartType:
    """Accuracy from full precision to the formats, a line an origin.

    Args:
        scores: Of every state, over the same items.
        kept: Which items count, ``[items]``; one at least.
        role: What the items are called.
        chance: Accuracy of guessing.
    """
    models: dict[str, dict[str, McqScores]] = {}
    for state, found in scores.items():
        models.setdefault(find_origin(state.origin).title, {})[state.format] = found
    title = heading(
        "What quantization does to the answers",
        f"{int(kept.sum())} questions, {role}. Bars: 95 % intervals, facts resampled as a whole. "
        f"Dashed: chance ({chance:.0%}).",
        width=_WIDTH,
    )
    return slope_panel(models, kept, chance).properties(width=_WIDTH, title=title)


def next_tokens(
    found: Mapping[State, Continuation], states: Sequence[State] | None = None
) -> ChartType:
    """The likeliest first tokens after a prompt, a panel a state; those missing are left blank.

    Args:
        found: At least one.
        states: All that are to have a panel; default those found.
    """
    panels = [_next(found.get(state), state) for state in states or found]
    title = heading(
        "What each model would say next",
        "The likeliest next tokens and their probability. · is a space, ¶ a new line.",
    )
    return alt.hconcat(*panels, title=title, spacing=16)


def _next(found: Continuation | None, state: State) -> ChartType:
    candidates = () if found is None else found.candidates
    names = _distinct([visible(candidate.text) for candidate in candidates])
    frame = pd.DataFrame(
        {"token": names, "probability": [candidate.probability for candidate in candidates]},
        columns=["token", "probability"],
    )
    colour = find_format(state.format).colour
    base = alt.Chart(frame).encode(
        y=alt.Y("token:N", sort=None, title=None, axis=alt.Axis(ticks=False, labelLimit=70)),
        x=alt.X(
            "probability:Q",
            title="probability",
            axis=alt.Axis(format="%", values=[0, 0.5, 1]),
            # The number stands behind the bar.
            scale=alt.Scale(domain=[0, 1.3], nice=False),
        ),
    )
    bars = base.mark_bar(color=colour).encode(
        tooltip=["token:N", alt.Tooltip("probability:Q", format=".4f")]
    )
    words = base.mark_text(align="left", dx=4).encode(text=alt.Text("probability:Q", format=".1%"))
    title = alt.Title(state.title, fontSize=12)
    return (bars + words).properties(width=100, height=24 * 5, title=title)


def visible(text: str) -> str:
    """A token's text with its white space made visible, by letters that every font has."""
    return text.replace(" ", "·").replace("\n", "¶").replace("\t", "»") or "(no text)"


def _distinct(names: Sequence[str]) -> list[str]:
    """The names, told apart where two tokens read alike: an axis would merge them."""
    return [name + "\u200b" * names[:i].count(name) for i, name in enumerate(names)]
