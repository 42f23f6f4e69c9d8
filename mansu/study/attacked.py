"""What the attacks found, as rows of the scorecard, and the worst of each in a table."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from mansu.attacks import find_attack
from mansu.attacks.base import Answers, Attack, Relearning
from mansu.metrics.significance import LEVEL, accuracy_interval, drawn_means
from mansu.study.relearned import RELEARN, control_of, place_of, relearning_rows, view_of
from mansu.study.rules.base import short
from mansu.study.scorecard import Row, Rows
from mansu.study.state import State

if TYPE_CHECKING:
    from mansu.study.stages.attack import Found, Results

K = TypeVar("K")
ACCURACY, WORST, SHARE = "attacked_accuracy", "worst_accuracy", "recovered_share"


def attack_rows(plug: Attack, found: "Results") -> Rows:
    """The rows of an attack.

    Args:
        plug: The attack.
        found: What it found at every setting, by format and origin.
    """
    results = [result for beside in found.values() for ours in beside.values() for result in ours]
    if all(isinstance(result, Relearning) for result in results):
        return relearning_rows(only(found, Relearning), plug.name)
    return answer_rows(plug, only(found, Answers))


def only(found: "Results", kind: type[K]) -> "Found[K]":
    """The results of one kind."""
    return {
        form: {
            origin: tuple(result for result in results if isinstance(result, kind))
            for origin, results in beside.items()
        }
        for form, beside in found.items()
    }


def answer_rows(plug: Attack, found: "Found[Answers]") -> Rows:
    """The forget set's accuracy at every setting, and the worst of them.

    A setting's rows stand in the view ``attack/setting``, the control's beside it in a view of
    their own (:func:`mansu.study.relearned.control_of`):

    * ``attacked_accuracy``: of unlearned, original and control; without a value where the fact set
      lacks what the setting needs;
    * ``level``, in the control's view, where no control ran and this stands in for it.

    ``worst_accuracy`` of the unlearned model stands in the attack's own view. Its interval is that
    of the largest accuracy on each draw of facts: which setting is the worst is drawn, too.

    Args:
        plug: The attack.
        found: Every setting, by format and origin.
    """
    return Rows(row for form, beside in found.items() for row in _rows(plug, form, beside))


def _rows(plug: Attack, form: str, beside: dict[str, tuple[Answers, ...]]) -> Iterator[Row]:
    for attacked, results in beside.items():
        for result in results:
            view, origin = place_of(f"{plug.name}/{result.setting}", attacked)
            e = accuracy_interval(result.scores.correct, result.scores.facts)
            where = (origin, form, "value")
            yield Row("forget", view, ACCURACY, *where, e.value, e.low, e.high, e.n)
            if attacked == "original" and "control" not in beside:
                yield Row("forget", control_of(view), "level", *where, result.level)
    ours = beside["unlearned"]
    for setting in plug.settings:
        if setting not in {result.setting for result in ours}:
            view = f"{plug.name}/{setting}"
            yield Row("forget", view, ACCURACY, "unlearned", form, "value", None)
    every = [drawn_means(result.scores.correct, result.scores.facts) for result in ours]
    low, high = np.quantile(np.max(every, axis=0), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    worst = max(result.scores.accuracy for result in ours)
    told = (worst, float(low), float(high), len(ours[0].scores.facts))
    yield Row("forget", plug.name, WORST, "unlearned", form, "value", *told)


@dataclass(frozen=True)
class Strike:
    """What an attack did in a format, at one setting.

    Attributes:
        attack: The attack.
        row: The unlearned model's accuracy, and the format.
        setting: The setting it comes from.
        original: The original's at the same setting.
        control: The never-knew control's, or what stands in for it.
        share: The recovered share, of an attack that fine-tunes.
    """

    attack: str
    row: Row
    setting: str
    original: float | None
    control: float | None
    share: Row | None = None


def worst_of(rows: Rows) -> tuple[Strike, ...]:
    """The worst of every attack in every format that it was tried in."""
    asked = [row for row in rows if row.metric in (SHARE, WORST)]
    return tuple(_tuned(rows, row) if row.metric == SHARE else _asked(rows, row) for row in asked)


def strikes_of(rows: Rows) -> tuple[Strike, ...]:
    """Every setting of every attack in every format; of one that fine-tunes, its worst."""
    struck = rows.where(metric=ACCURACY, origin="unlearned")
    settings = [row for row in struck if "/" in row.view and row.value is not None]
    tuned = [_tuned(rows, row) for row in rows.where(metric=SHARE)]
    return (*tuned, *(_strike(rows, row) for row in settings))


def _tuned(rows: Rows, share: Row) -> Strike:
    """Of an attack that fine-tunes: the setting that brings the largest share back."""
    view = share.view

    def told(metric: str) -> Row:
        return rows.at("forget", view, metric, share.state, "value")

    again = "redeployed" if told("redeployed").value else "as trained"
    setting = f"{told('attack_rate').value:g}, {again}"
    name = RELEARN if view == view_of(RELEARN) else view
    return Strike(name, told(ACCURACY), setting, *_beside(rows, view, share.format), share)


def _asked(rows: Rows, worst: Row) -> Strike:
    """Of one that asks: the setting with the largest accuracy, and the interval of the largest."""
    tried = [s for s in strikes_of(rows) if (s.attack, s.row.format) == (worst.view, worst.format)]
    found = max(tried, key=lambda strike: strike.row.value or 0.0)
    return replace(found, row=worst)


def _strike(rows: Rows, row: Row) -> Strike:
    attack, _, setting = row.view.partition("/")
    return Strike(attack, row, setting, *_beside(rows, row.view, row.format))


def _beside(rows: Rows, view: str, form: str) -> tuple[float | None, float | None]:
    """The original's accuracy and the control's."""
    state, control = State("original", form), control_of(view)
    places = ((view, (ACCURACY,)), (control, (ACCURACY, "level")))
    found = [
        next((r.value for m in metrics if (r := rows.find("forget", v, m, state, "value"))), None)
        for v, metrics in places
    ]
    return found[0], found[1]


def tuned(rows: Rows) -> tuple[str, ...]:
    """The attacks that fine-tuned."""
    return tuple(dict.fromkeys(worst.attack for worst in worst_of(rows) if worst.share))


def attack_table(rows: Rows) -> list[dict[str, str]]:
    """The worst of every attack, one line an attack and format; empty where nothing attacked."""
    return [
        {
            "attack": worst.attack,
            "format": short(worst.row.format),
            "worst": _number(worst.row),
            "at": worst.setting,
            "original": _plain(worst.original),
            "never-knew": _plain(worst.control),
        }
        for worst in worst_of(rows)
    ]


def attack_notes(rows: Rows) -> list[str]:
    """What an attack could not try, with the reason, one sentence an attack."""
    left: dict[str, list[str]] = {}
    for row in rows.where(metric=ACCURACY, origin="unlearned", format="fp", value=None):
        name, _, setting = row.view.partition("/")
        left.setdefault(name, []).append(setting)
    return [
        f"{name}: not tried: {', '.join(settings)} ({find_attack(name).lacking})."
        for name, settings in left.items()
    ]


def _number(row: Row) -> str:
    return f"{row.value:.3f} [{row.low:.2f},{row.high:.2f}]"


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
