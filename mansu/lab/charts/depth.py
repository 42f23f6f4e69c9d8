"""The chart of unlearning depth: at which layers each fact is gone, and at which it is there."""

from collections import Counter
from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd
from altair.typing import ChartType

from mansu.circuit import Circuit
from mansu.data.facts import FactSet
from mansu.lab.theme import GREY, INK, VERMILION, heading
from mansu.metrics.depth import CARRIES, Depth, unlearning_depth
from mansu.study.stages.depth import Layers
from mansu.study.state import State, find_origin, format_title

ROWS = 32  # facts drawn at most
_ROW = 13  # height of one, in pixels
_CELLS, _SIDE = 440, 90  # widths of the map and of the bars beside it, in pixels


def depth_map(
    found: Layers, pair_facts: Sequence[str], facts: FactSet, circuit: Circuit, state: State
) -> ChartType:
    """Score of every layer for every fact, least forgotten facts first, each one's depth beside it.

    Of many facts, some are drawn, spread evenly over all of that order.

    Args:
        found: What the layers of the state hold.
        pair_facts: The fact of each pair.
        facts: The forget set, for the facts' words.
        circuit: The circuit, whose layers are marked.
        state: The state.
    """
    depth = unlearning_depth(found.carried.drops, found.drops, pair_facts)
    order = np.argsort(depth.by_fact, kind="stable")  # NaN last
    order = order[: len(order) - depth.left_out]
    spread = np.linspace(0, len(order) - 1, min(ROWS, len(order))).round().astype(int)
    drawn, names = order[spread], _names(depth, facts)
    rows = [names[i] for i in drawn]
    y = alt.Y("fact:N", title=None, sort=rows, axis=alt.Axis(labelLimit=190, ticks=False))
    cells = (
        alt.Chart(_cells(depth, drawn, rows))
        .mark_rect()
        .encode(
            x=alt.X("layer:O", title="layer (orange: in the circuit)", axis=_layer_axis(circuit))
            .scale(domain=list(range(depth.scores.shape[1]))),
            y=y,
            color=alt.Color(
                "score:Q",
                title="0 still there, 1 gone",
                scale=alt.Scale(scheme="cividis", reverse=True, domain=[0, 1]),
            ),
            tooltip=["fact:N", "layer:O", alt.Tooltip("score:Q", format=".2f")],
        )
        .properties(width=_CELLS, height=max(_ROW * len(rows), 60))
    )  # fmt: skip
    title = heading(
        f"Where each fact is still held, {format_title(state.format)}",
        *_notes(depth, len(order), state),
        width=_CELLS + _SIDE + 140,
    )
    return alt.hconcat(cells, _bars(rows, depth.by_fact[drawn]), title=title, spacing=12)


def _bars(rows: Sequence[str], values: np.ndarray) -> alt.Chart:
    """Each drawn fact's depth."""
    return (
        alt.Chart(pd.DataFrame({"fact": rows, "depth": values}))
        .mark_bar(color=GREY, height={"band": 0.7})
        .encode(
            x=alt.X("depth:Q", scale=alt.Scale(domain=[0, 1])).axis(tickCount=2),
            y=alt.Y("fact:N", sort=list(rows)).axis(None),
            tooltip=["fact:N", alt.Tooltip("depth:Q", format=".2f")],
        )
        .properties(width=_SIDE, height=max(_ROW * len(rows), 60))
    )


def _layer_axis(circuit: Circuit) -> alt.Axis:
    """Layer numbers, the circuit's in colour."""
    marked = ", ".join(map(str, circuit.layers))
    return alt.Axis(
        labelAngle=0,
        labelColor={  # pyright: ignore[reportArgumentType]
            "condition": {"test": f"indexof([{marked}], datum.value) >= 0", "value": VERMILION},
            "value": INK,
        },
    )


def _cells(depth: Depth, drawn: np.ndarray, rows: Sequence[str]) -> pd.DataFrame:
    """One line for every layer that carries a drawn fact."""
    lines = [
        {"fact": name, "layer": layer, "score": float(score)}
        for name, scores in zip(rows, depth.scores[drawn], strict=True)
        for layer, score in enumerate(scores)
        if np.isfinite(score)
    ]
    return pd.DataFrame(lines, columns=["fact", "layer", "score"])


def _names(depth: Depth, facts: FactSet) -> list[str]:
    """What each fact is called: subject and answer, and its id where two have the same."""
    known = {fact.id: " → ".join(facts.shown(fact)) for fact in facts.facts}
    called = [known.get(name, name) for name in depth.facts]
    often = Counter(called)
    return [
        words if often[words] == 1 else f"{words} ({name})"
        for words, name in zip(called, depth.facts, strict=True)
    ]


def _notes(depth: Depth, told: int, state: State) -> list[str]:
    how = (
        "Where the original model is about to say the answer, one layer's activation is exchanged "
        f"for the {find_origin(state.origin).title} model's. Bright: the answer is said as before, "
        "so this layer still holds the fact. Dark: it is lost, as far as with another subject's "
        f"activation. Blank: no exchange costs it {CARRIES:g} nats, so the layer does not carry it."
    )
    if depth.mean is None:
        return [how, f"No layer carries any of the {len(depth.facts)} facts."]
    mean = f"Depth, the mean over facts: {depth.mean.value:.2f} [{depth.mean.low:.2f}, "
    mean += f"{depth.mean.high:.2f}]. "
    shown = f"{told} facts" if told <= ROWS else f"{ROWS} of {told} facts, evenly"
    left = depth.left_out
    rest = f" {left} that no layer carries are left out." if left else ""
    return [how, f"{mean}Drawn: {shown} from the least forgotten to the most.{rest}"]
