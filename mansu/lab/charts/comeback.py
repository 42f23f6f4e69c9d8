"""The map of what comes back: methods × formats, and the account that would explain it."""

import re
from collections.abc import Sequence

import altair as alt
import pandas as pd
from altair.typing import ChartType

from mansu.lab.theme import GREY, INK, VERMILION, WIDTH, format_scale, heading
from mansu.study.comeback import LEAST, Returned
from mansu.study.state import format_title

_ROW = 24  # height of a run, in pixels
_LONGEST = 40  # characters of a run's name
_DECADES = [10.0**n for n in range(-4, 5)]
_SETTING = re.compile(r"(?<=-)[a-z_]+=.*?(?=-[a-z_]+=|$)")  # in a run's name


def comeback_map(found: Sequence[Returned]) -> ChartType:
    """Share of what was forgotten that each format brings back, a row a run.

    Args:
        found: Runs in their formats.
    """
    formats = list(dict.fromkeys(format_title(one.format) for one in found))
    lines = _entries(found)
    runs = list(dict.fromkeys(str(line["run"]) for line in lines))
    base = alt.Chart(pd.DataFrame(lines)).encode(
        x=alt.X("format:N", title=None, sort=formats, axis=alt.Axis(orient="top", labelAngle=-35)),
        y=alt.Y("run:N", title=None, sort=runs, axis=alt.Axis(labelLimit=330)),
        tooltip=["run", "format", "forgotten", "share", "interval", "stored", "signal", "noise"],
    )
    cells = base.mark_rect(stroke="white").encode(
        color=alt.Color(
            "shown:Q",
            title="share back",
            scale=alt.Scale(
                domain=[0, 1], range=["#ffffff", VERMILION], interpolate="rgb", clamp=True
            ),
            legend=alt.Legend(format="%"),
        )
    )
    words = base.mark_text().encode(text="words:N")
    return (cells + words).properties(
        width=WIDTH - 200,
        height=_ROW * len(runs),
        title=heading(
            "What of the forgotten a format brings back",
            "0 %: it stays as forgotten as in full precision; 100 %: all is back. Below 0: the "
            "format loses more of it. Behind a run's name stands its accuracy on seen forget "
            f"prompts before and after; less than {LEAST:.2f} forgotten, and no share is told.",
        ),
    )


def account_chart(found: Sequence[Returned]) -> ChartType:
    """Share back against what each format makes of the update, a point a run and format.

    Args:
        found: Runs in their formats; those without a share or an account are left out.
    """
    names = list(dict.fromkeys(one.format for one in found))
    lines = [line for line in _entries(found) if line["share"] is not None and line["noise"]]
    base = alt.Chart(pd.DataFrame(lines)).encode(
        y=alt.Y("share:Q", title="share back", axis=alt.Axis(format="%")),
        color=alt.Color("format:N", title=None, scale=format_scale(names)),
        tooltip=["run", "format", "forgotten", "share", "interval", "stored", "signal", "noise"],
    )
    signal = alt.X("signal:Q", title="signal: what of the update arrives")
    noise = alt.X(
        "noise:Q",
        title="noise, over the update",
        scale=alt.Scale(type="log"),
        axis=alt.Axis(values=_DECADES),
    )
    return alt.hconcat(_against(base, signal), _against(base, noise)).properties(
        title=heading(
            "What tells where it comes back?",
            "Left: the part of the update that is still there after rounding, 1 where it arrives "
            "whole. Right: what rounding adds to it in no direction of its own; above 1 that is "
            "more than the update. Bars: 95 % intervals, facts resampled.",
        ),
    )


def _against(base: alt.Chart, x: alt.X) -> ChartType:
    points = base.mark_point(filled=True, size=60).encode(x=x)
    bars = base.mark_rule(opacity=0.5).encode(x=x, y="low:Q", y2="high:Q")
    zero = alt.Chart(pd.DataFrame({"y": [0]})).mark_rule(color=GREY).encode(y="y:Q")
    return (zero + bars + points).properties(width=WIDTH // 2 - 95, height=240)


def formats_chart(found: Sequence[Returned]) -> ChartType:
    """One run in its formats: what it answers there, beside full precision and the original.

    Args:
        found: One run's formats.
    """
    order = [format_title(one.format) for one in found]
    frame = pd.DataFrame(
        [
            {
                "format": format_title(one.format),
                "accuracy": one.deployed[0],
                "low": one.deployed[1],
                "high": one.deployed[2],
                "original": one.original_there,
            }
            for one in found
        ]
    )
    x = alt.X("format:N", title=None, sort=order, axis=alt.Axis(labelAngle=-35))
    base = alt.Chart(frame).encode(x=x)
    points = base.mark_point(filled=True, size=70, color=VERMILION).encode(
        y=alt.Y("accuracy:Q", title="accuracy", scale=alt.Scale(domain=[0, 1])),
        tooltip=["format", alt.Tooltip("accuracy:Q", format=".3f"), "low", "high"],
    )
    original = base.mark_point(filled=True, size=45, color=GREY).encode(
        y="original:Q", tooltip=["format", alt.Tooltip("original:Q", format=".3f")]
    )
    bars = base.mark_rule(color=VERMILION).encode(y="low:Q", y2="high:Q")
    lines = pd.DataFrame(
        [
            {"y": found[0].original, "words": "original"},
            {"y": found[0].plain, "words": "unlearned"},
        ]
    )
    marks = alt.Chart(lines).encode(y="y:Q")
    rules = marks.mark_rule(color=GREY, strokeDash=[4, 3])
    width = WIDTH - 140
    words = marks.mark_text(align="left", color=INK).encode(text="words:N", x=alt.value(width + 6))
    return (rules + bars + original + points + words).properties(
        width=width,
        height=220,
        title=heading(
            "The unlearned model in every format",
            "Accuracy on seen forget prompts; where a set is answered in writing, ROUGE-L F1 of "
            "what is written. Dashed: full precision; grey: the original in the format. Bars: 95 % "
            "intervals, facts resampled.",
            width=width,
        ),
    )


def _entries(found: Sequence[Returned]) -> list[dict[str, object]]:
    """A line a run and format; a run is named by what sets it apart from the others."""
    settings = {one.method: _SETTING.findall(one.method) for one in found}
    shared = set.intersection(*map(set, settings.values())) if len(settings) > 1 else set()
    return [_entry(one, _named(one, shared)) for one in found]


def _named(one: Returned, shared: set[str]) -> str:
    name = one.method
    for setting in shared:
        name = name.replace(f"-{setting}", "")
    name = name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
    return f"{name}  {_forgotten(one)}"


def _forgotten(one: Returned) -> str:
    return f"{one.original:.2f} → {one.plain:.2f}"


def _entry(one: Returned, name: str) -> dict[str, object]:
    share, low, high = one.share or (None, None, None)
    told = "–" if share is None else f"{share:.0%}"
    ends = "" if low is None or high is None else f"{low:.2f} to {high:.2f}"
    return {
        "run": name,
        "format": format_title(one.format),
        "forgotten": _forgotten(one),
        "share": share,
        "shown": share,
        "low": low,
        "high": high,
        "interval": ends,
        "words": told,
        "stored": one.stored,
        "signal": one.signal,
        "noise": one.noise,
    }
