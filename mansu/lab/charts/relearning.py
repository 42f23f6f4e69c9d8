"""The chart of the attack by relearning: what comes back of facts that nobody taught."""

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd
from altair.typing import ChartType

from mansu.attacks.base import Relearning
from mansu.attacks.relearning.recovery import recover
from mansu.lab.theme import BLUE, GREY, INK, ORANGE, VERMILION, heading
from mansu.study.stages.attack import TITLES
from mansu.study.state import format_title

NOT_ATTACKED = (
    'Relearning: no attack is stored; set attacks = ["relearn"] in the parameters, or run '
    "mansu run --relearn."
)
_UNTAUGHT, _TAUGHT = "V: not taught", "T: taught"
_PALETTE = (BLUE, ORANGE, VERMILION)
_WIDTH, _HEIGHT = 590, 210  # of the plotted areas, all panels together, in pixels


def relearning_chart(
    attacks: Mapping[str, Mapping[str, Sequence[Relearning]]], form: str
) -> ChartType:
    """Accuracy against the attack's steps, a line a rate: the unlearned model, then its controls.

    Args:
        attacks: Every setting, by format and origin.
        form: The format shown.
    """
    beside = attacks[form]
    level = beside["original"][0].level
    found = recover(beside["unlearned"], beside["original"], beside.get("control") or level)
    told = f"No recovered share: {found.reason}."
    if found.share is not None:
        ends = ["∞" if end is None else f"{end:.2f}" for end in (found.low, found.high)]
        told = (
            f"Recovered share {found.share:.2f} [{', '.join(ends)}], the largest, at rate "
            f"{found.rate:g}."
        )
    stands_in = "" if "control" in beside else f" Without a twin, {level:.0%} stands in for it."
    title = heading(
        f"What comes back of facts that nobody taught, {format_title(form)}",
        "Half of the facts (T) are taught again on seen prompts; all are asked on held-out ones. "
        "Solid: the other half (V), deployed again. Dotted: T; where it does not reach "
        f"{beside['unlearned'][0].aim:.0%}, V says nothing.{stands_in}",
        told,
    )
    last = max(attack.last.step for theirs in beside.values() for attack in theirs)
    rates = [f"{attack.rate:g}" for attack in beside["unlearned"]]
    panels = [
        _panel(theirs, origin, rates, _WIDTH // len(beside), last, first=not n)
        for n, (origin, theirs) in enumerate(beside.items())
    ]
    return alt.hconcat(*panels, title=title, spacing=18)


def _panel(
    attacks: Sequence[Relearning], origin: str, rates: list[str], width: int, last: int, first: bool
) -> ChartType:
    frame = pd.DataFrame(
        [
            {
                "rate": f"{attack.rate:g}",
                "step": check.step,
                "accuracy": accuracy,
                "facts": name,
                "as trained": check.trained.accuracy if name == _UNTAUGHT else accuracy,
            }
            for attack in attacks
            for check in attack.checks
            for name, accuracy in (
                (_UNTAUGHT, check.redeployed.accuracy),
                (_TAUGHT, check.taught),
            )
        ]
    )
    number = alt.Axis(format="%", values=[0, 0.25, 0.5, 0.75, 1], labels=first, ticks=first)
    y = alt.Y(
        "accuracy:Q",
        title="accuracy" if first else None,
        axis=number,
        scale=alt.Scale(domain=[0, 1]),
    )
    colours = alt.Scale(domain=rates, range=[_PALETTE[n % 3] for n in range(len(rates))])
    dashes = alt.Scale(domain=[_UNTAUGHT, _TAUGHT], range=[[1, 0], [2, 4]])
    lines = (
        alt.Chart(frame)
        .mark_line(point=alt.OverlayMarkDef(filled=True, size=28))
        .encode(
            x=alt.X(
                "step:Q",
                title="steps",
                axis=alt.Axis(tickMinStep=1, format="d"),
                scale=alt.Scale(domain=[0, last]),
            ),
            y=y,
            color=alt.Color("rate:N", title="rate", scale=colours),
            strokeDash=alt.StrokeDash(
                "facts:N",
                title=None,
                scale=dashes,
                legend=alt.Legend(symbolType="stroke", symbolStrokeColor=GREY),
            ),
            tooltip=["facts", "rate", "step", "accuracy", "as trained"],
        )
    )
    words = alt.Title(TITLES[origin], fontSize=12, color=INK, anchor="middle", offset=4)
    return lines.properties(width=width, height=_HEIGHT, title=words)
