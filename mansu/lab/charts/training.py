"""Charts of phase 2: who may move, and how training went."""

import math
from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
import pandas as pd
import torch
from altair.typing import ChartType

from mansu.lab.theme import BLUE, GREEN, GREY, INK, PURPLE, VERMILION, WIDTH, heading
from mansu.models.names import find_layer
from mansu.unlearn.checkpoint import MAX_FALL, MAX_RETAIN_DROP, StepRecord, Validation
from mansu.unlearn.mask import NEGLIGIBLE, Movable
from mansu.unlearn.settings import Keep

_RULES: dict[Keep, str] = {
    "best": "The AUC nearest to its level among the checks whose retain accuracy fell by at most "
    f"{MAX_RETAIN_DROP * 100:g} pp and whose wrong options by at most {MAX_FALL:g} nats.",
    "last": "The last one, whatever it did, as global methods are published.",
}


def movable_share(movable: Movable, weights: Mapping[str, torch.Tensor]) -> ChartType:
    """Share of each of the blocks' matrices that training may move."""
    rows = [
        {
            "layer": find_layer(name),
            "projection": name.split(".")[-2],
            "share": movable.sizes[name] / weight.numel(),
            "weights": movable.sizes[name],
        }
        for name, weight in weights.items()
        if find_layer(name) is not None and weight.ndim == 2
    ]
    total = sum(weight.numel() for weight in weights.values())
    notes = []
    if movable.whole:
        notes += [f"All {total:,} weights of these matrices: the method has no mask."]
    elif math.isinf(movable.threshold):
        share = f"{movable.count / total:.2%}"
        notes += [f"{movable.count:,} of {total:,} weights ({share}), by the method's own rule."]
    else:
        notes += [
            f"{movable.count:,} of the circuit's {total:,} weights ({movable.count / total:.2%}). "
            f"Mask: retain Fisher at most {movable.threshold:.2g} nats² per weight²."
        ]
        if movable.left_out:
            notes += [
                f"Left out of the training: layer {', '.join(map(str, movable.left_out))}, each "
                f"with less than {NEGLIGIBLE:.0%} of the weights that may move."
            ]
    title = heading("Which weights may move", *notes)
    return matrix_map(pd.DataFrame(rows), "share", "share that may move", ".2%", None, title)


def matrix_map(
    frame: pd.DataFrame, value: str, label: str, number: str, top: float | None, title: alt.Title
) -> ChartType:
    """One number a weight matrix, projection × layer, written into its cell.

    Args:
        frame: Columns ``layer``, ``projection`` and ``value``.
        value: The column to show.
        label: What it is.
        number: Its d3 format.
        top: Where the colours end; default the largest value.
        title: The chart's title.
    """
    order = list(dict.fromkeys(frame["projection"]))
    cells = alt.Chart(frame).encode(
        x=alt.X("layer:O", title="layer", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("projection:N", title=None, sort=order),
    )
    top = top or float(np.max(frame[value].to_numpy())) or 1.0
    rect = cells.mark_rect(stroke="white").encode(
        color=alt.Color(
            f"{value}:Q",
            title=label,
            scale=alt.Scale(scheme="blues", domain=[0, top]),
            legend=alt.Legend(format=number),
        ),
        tooltip=list(frame.columns),
    )
    dark = f"datum['{value}'] > {0.6 * top}"
    written = cells.mark_text().encode(
        text=alt.Text(f"{value}:Q", format=number),
        color=alt.condition(dark, alt.value("white"), alt.value(INK)),
    )
    return (rect + written).properties(width=WIDTH - 20, height=34 * len(order), title=title)


def training_curves(history: Sequence[StepRecord]) -> ChartType:
    """Forget term, retain term and gradient norm by step."""
    frame = pd.DataFrame([vars(record) for record in history])
    panels = [
        _curve(frame, "forget", "forget term", VERMILION),
        _curve(frame, "retain", "retain term", BLUE),
        _curve(frame, "gradient_norm", "gradient norm", PURPLE, last=True),
    ]
    title = heading(
        "How training went",
        f"{len(frame)} steps, means over the precisions trained in. Pale: every step; dark: "
        f"running mean of {_window(frame)} steps. Terms as the method has them (likelihoods in "
        "nats); the norm is taken before clipping.",
    )
    return alt.vconcat(*panels, title=title, spacing=14)


def _window(frame: pd.DataFrame) -> int:
    """Steps of the running mean: a tenth of the run."""
    return max(1, len(frame) // 10)


def _curve(
    frame: pd.DataFrame, column: str, label: str, colour: str, last: bool = False
) -> ChartType:
    smooth = frame[[column]].rolling(_window(frame), min_periods=1, center=True).mean()
    shown = pd.DataFrame({"step": frame["step"], "raw": frame[column], "smooth": smooth[column]})
    base = alt.Chart(shown).encode(x=_steps(last))
    raw = base.mark_line(color=colour, opacity=0.3, strokeWidth=1).encode(
        y=alt.Y("raw:Q", title=label)
    )
    line = base.mark_line(color=colour).encode(y="smooth:Q", tooltip=["step", "raw"])
    return (raw + line).properties(width=WIDTH, height=110)


def _steps(last: bool) -> alt.X:
    """The shared axis of stacked panels; only the last one names it."""
    axis = alt.Axis(tickMinStep=1, format="d", labels=last, ticks=last)
    return alt.X("step:Q", title="step" if last else None, axis=axis)


def validation_curve(
    validations: Sequence[Validation], best: Validation | None, chance: float, keep: Keep
) -> ChartType:
    """What every check measured, each beside its bound; the kept checkpoint is marked."""
    names = ["step", "auc", "forget", "fall", "drop"]
    frame = pd.DataFrame(
        [(v.step, v.auc, v.forget, v.fall, 100 * v.retain_drop) for v in validations],
        columns=names,
    )
    kept = pd.DataFrame({"step": [best.step] if best else []})
    level = validations[0].level if validations else 0.5

    def panel(column: str, label: str, colour: str, limit: float, name: str) -> ChartType:
        format_ = "%" if column == "forget" else "~g"
        axis = alt.Y(f"{column}:Q", title=label, axis=alt.Axis(format=format_))
        dots = alt.OverlayMarkDef(color=colour, size=40)
        x = _steps(last=column == "drop")
        line = alt.Chart(frame).mark_line(point=dots, color=colour).encode(x=x, y=axis)
        rule = alt.Chart(pd.DataFrame({"y": [limit], "name": [name]}))
        bound = rule.mark_rule(strokeDash=[4, 3], color=GREY).encode(y="y:Q")
        words = rule.mark_text(align="right", x=WIDTH - 2, dy=-6, color=GREY).encode(
            y="y:Q", text="name:N"
        )
        chosen = alt.Chart(kept)
        mark = chosen.mark_rule(color=GREEN, strokeWidth=2).encode(x="step:Q")
        return (mark + bound + words + line).properties(width=WIDTH, height=90)

    if best is None:
        outcome = (
            "No check kept both the retain accuracy and the wrong options, so the original "
            "weights stay: nothing was unlearned."
        )
    else:
        outcome = (
            f"Kept (green line): step {best.step}, AUC {best.auc:.2f}, forget accuracy "
            f"{best.forget:.1%}, retain drop {best.retain_drop * 100:+.1f} pp."
        )
    return alt.vconcat(
        panel("auc", "AUC", VERMILION, level, "level"),
        panel("forget", "forget accuracy", VERMILION, chance, "chance"),
        panel("fall", "wrong options (nats)", PURPLE, MAX_FALL, "largest fall allowed"),
        panel("drop", "retain drop (pp)", BLUE, 100 * MAX_RETAIN_DROP, "largest drop allowed"),
        title=heading(
            "Which checkpoint is kept",
            f"{_RULES[keep]} All on small samples of training prompts; AUC: share of wrong "
            "options below the answer, in the precision where it is furthest from its level.",
            outcome,
        ),
        spacing=14,
    )
