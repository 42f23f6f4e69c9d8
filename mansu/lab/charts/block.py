"""One block of weights: where a weight lies among the bins, and what the quantizer makes of it."""

import altair as alt
import numpy as np
import pandas as pd
import torch
from altair.typing import ChartType

from mansu.lab.theme import BLUE, GREY, INK, PALE, VERMILION, WIDTH, heading
from mansu.quant.codebook import Codebook

_ROWS = {"original": 0.72, "now": 0.42, "stored": 0.12}  # heights of the three rows of dots


def block_line(block: torch.Tensor, place: int, value: float, codebook: Codebook) -> ChartType:
    """A weight's way through the bins of its block.

    Args:
        block: The block's original weights, ``[weights]``.
        place: Which of them is moved.
        value: Where it is moved to; the block's scale may move with it.
        codebook: Whose bins they are.
    """
    moved = block.clone()
    moved[place] = value
    before, after = codebook.quantize(block), codebook.quantize(moved)
    scale = float(after.absmax[0])
    levels = scale * codebook.levels().numpy()
    cuts = scale * codebook.boundaries().numpy()
    code = int(codebook.unpack(after)[place])
    original, stored = float(block[place]), float(codebook.dequantize(after)[place])
    recoded = codebook.unpack(before) != codebook.unpack(after)

    bins = _bins(levels, cuts, code, 1.06 * scale)
    outcome = _outcome(value == original, bool(recoded[place]))
    if scale != float(before.absmax[0]):
        others = int(recoded.sum()) - int(recoded[place])
        outcome += [f"The block's scale moved with it, and {others} other weights changed code."]
    title = heading(
        f"One weight among the {codebook.size} bins of its block",
        "Each field is a bin, its number the 4-bit code, its tick the value that the code stands "
        f"for. The block's largest weight, {scale:.4f}, sets the scale.",
        *outcome,
    )
    return alt.layer(*bins, *_way(original, value, stored)).properties(
        width=WIDTH, height=130, title=title
    )


def _outcome(still: bool, crossed: bool) -> list[str]:
    if still:
        return ["The weight has not moved."]
    if crossed:
        return ["It crossed into another bin: the update survives, as a step to another level."]
    return ["It stayed in its bin: after quantization the update is gone."]


def _bins(levels: np.ndarray, cuts: np.ndarray, code: int, limit: float) -> list[alt.Chart]:
    """The fields of the bins, the own one shaded, their numbers, and the levels as ticks."""
    edges = np.concatenate(([levels[0]], cuts, [levels[-1]]))
    bins = pd.DataFrame(
        {"low": edges[:-1], "high": edges[1:], "code": range(len(levels)), "level": levels}
    )
    x = alt.X(
        "low:Q",
        title="weight",
        scale=alt.Scale(domain=[-limit, limit], nice=False),
        axis=alt.Axis(format="+.3f", grid=False, tickCount=9),
    )
    shade = alt.condition(alt.datum.code == code, alt.value("#D6EAF8"), alt.value("white"))
    fields = (
        alt.Chart(bins)
        .mark_rect(stroke=PALE)
        .encode(
            x=x,
            x2="high:Q",
            y=alt.Y(datum=1, type="quantitative", axis=None, scale=alt.Scale(domain=[0, 1])),
            y2=alt.datum(0),
            color=shade,
            tooltip=["code", alt.Tooltip("level", format="+.4f")],
        )
    )
    ticks = (
        alt.Chart(bins)
        .mark_tick(color=GREY, thickness=2, height=16)
        .encode(x="level:Q", y=alt.Y(datum=_ROWS["stored"], type="quantitative"))
    )
    names = (
        alt.Chart(bins)
        .mark_text(color=GREY, y=-7, fontSize=10)
        .encode(x="middle:Q", text="code:O")
        .transform_calculate(middle="(datum.low + datum.high) / 2")
    )
    return [fields, names, ticks]


def _way(original: float, value: float, stored: float) -> list[alt.Chart]:
    """The weight as it was, as it is, and as it is stored, with arrows between."""
    dots = pd.DataFrame(
        {
            "x": [original, value, stored],
            "y": list(_ROWS.values()),
            "what": ["original weight", "after the update", "what 4 bits store"],
        }
    )
    colours = alt.Scale(domain=dots["what"].tolist(), range=[GREY, VERMILION, BLUE])
    shapes = alt.Scale(domain=dots["what"].tolist(), range=["circle", "diamond", "square"])
    points = (
        alt.Chart(dots)
        .mark_point(filled=True, size=130, opacity=1)
        .encode(
            x="x:Q",
            y="y:Q",
            color=alt.Color("what:N", title=None, scale=colours),
            shape=alt.Shape("what:N", title=None, scale=shapes),
            tooltip=["what", alt.Tooltip("x", format="+.5f")],
        )
    )
    way = pd.DataFrame(
        {"x": [original, value], "x2": [value, stored], "y": [0.72, 0.42], "y2": [0.42, 0.12]}
    )
    arrows = (
        alt.Chart(way)
        .mark_rule(color=INK, strokeDash=[3, 3])
        .encode(x="x:Q", x2="x2:Q", y="y:Q", y2="y2:Q")
    )
    return [arrows, points]
