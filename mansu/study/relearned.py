"""What the attacks by relearning found, as rows of the scorecard, and in words."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mansu.attacks.recovery import Recovery, recover, why_undefined
from mansu.metrics.significance import accuracy_interval
from mansu.study.scorecard import Row, Rows
from mansu.study.state import FP, State, format_title

if TYPE_CHECKING:
    from mansu.attacks.relearning import Attack
    from mansu.study.stages.relearn import Attacks

VIEW, CONTROL_VIEW = "relearned", "never-knew"
# The control is the original on facts that nobody knows: its rows are the original's, in a view of
# their own.
_PLACES = {
    "unlearned": (VIEW, "unlearned"),
    "original": (VIEW, "original"),
    "control": (CONTROL_VIEW, "original"),
}


def relearning_rows(attacks: "Attacks", level: float) -> Rows:
    """The recovered share in every format, and the accuracies that it is made of.

    All are about the setting with the largest share:

    * ``recovered_share``: with its interval; ``settings_taught``: of ``n`` settings, those that
      taught T; ``attack_rate``, ``redeployed`` (1: as deployed again), ``taught_aim``;
    * of unlearned, original and control: ``attacked_accuracy`` and ``unattacked_accuracy`` on V,
      ``taught_accuracy`` on T, and ``attack_steps``;
    * ``level``, in the control's view, where no control ran and this stands in for it.

    Args:
        attacks: Every setting, by format and origin.
        level: Stands in for the control where there is none.
    """
    return Rows(row for form, beside in attacks.items() for row in _rows(form, beside, level))


def _rows(form: str, beside: "dict[str, tuple[Attack, ...]]", level: float) -> Iterator[Row]:
    control = beside.get("control")
    found = recover(beside["unlearned"], beside["original"], control or level)
    where = ("unlearned", form, "value")
    ends = (found.low, found.high, found.n)
    yield Row("forget", VIEW, "recovered_share", *where, found.share, *ends)
    settings = len(beside["unlearned"])
    yield Row("forget", VIEW, "settings_taught", *where, found.taught, n=settings)
    yield Row("forget", VIEW, "attack_rate", *where, found.rate)
    yield Row("forget", VIEW, "redeployed", *where, float(found.reading == "redeployed"))
    yield Row("forget", VIEW, "taught_aim", *where, beside["unlearned"][0].aim)
    for origin, attacks in beside.items():
        attack = next(a for a in attacks if a.rate == found.rate)
        yield from _accuracies(attack, found, origin, form)
    if control is None:
        yield Row("forget", CONTROL_VIEW, "level", "original", form, "value", level)


def _accuracies(attack: "Attack", found: Recovery, origin: str, form: str) -> Iterator[Row]:
    view, name = _PLACES[origin]
    where = (name, form, "value")
    for metric, check in (
        ("attacked_accuracy", attack.last),
        ("unattacked_accuracy", attack.checks[0]),
    ):
        scores = getattr(check, found.reading)
        e = accuracy_interval(scores.correct, scores.facts)
        yield Row("forget", view, metric, *where, e.value, e.low, e.high, e.n)
    yield Row("forget", view, "taught_accuracy", *where, attack.last.taught)
    yield Row("forget", view, "attack_steps", *where, attack.last.step)


def recovered(rows: Rows, form: str) -> Recovery | None:
    """The recovered share of a format as the rows have it; None where nothing was attacked."""
    state = State("unlearned", form)
    share = rows.find("forget", VIEW, "recovered_share", state, "value")
    if share is None:
        return None
    taught, rate, again = (
        rows.at("forget", VIEW, name, state, "value").value or 0.0
        for name in ("settings_taught", "attack_rate", "redeployed")
    )
    reason = "" if share.value is not None else why_undefined(int(taught))
    ends = (share.low, share.high, share.n or 0)
    return Recovery(
        share.value, *ends, reason, int(taught), rate, "redeployed" if again else "trained"
    )


def relearning_lines(rows: Rows) -> list[list[str]]:
    """The attack as a table, a heading first, a column a format; empty where nothing attacked."""
    asked = rows.where(view=VIEW, metric="recovered_share")
    if not asked:
        return []
    forms = [row.format for row in asked]
    ours = [State("unlearned", form) for form in forms]
    named = [("unlearned", VIEW, "unlearned"), ("original", VIEW, "original")]
    named.append(("never-knew control", CONTROL_VIEW, "original"))
    table = [["relearning", *map(_short, forms)]]
    table.append(["recovered share", *(_share(rows, form) for form in forms)])
    for title, view, origin in named:
        places = [State(origin, form) for form in forms]
        told = [_untaught(rows, view, state) for state in places]
        table.append([f"V, {title}", *told])
    for title, metric, digits in (
        ("T, taught", "taught_accuracy", ".3f"),
        ("  to be taught", "taught_aim", ".3f"),
        ("  after steps", "attack_steps", ".0f"),
        ("  at rate", "attack_rate", "g"),
    ):
        found = [rows.at("forget", VIEW, metric, place, "value").value for place in ours]
        table.append([title, *(f"{value:{digits}}" for value in found)])
    found = [rows.at("forget", VIEW, "settings_taught", place, "value") for place in ours]
    table.append(["  settings that taught", *(f"{r.value:.0f} of {r.n}" for r in found)])
    return table


def _share(rows: Rows, form: str) -> str:
    found = recovered(rows, form)
    if found is None or found.share is None:
        return "" if found is None else f"undefined: {found.reason}"
    ends = ["∞" if end is None else f"{end:.2f}" for end in (found.low, found.high)]
    return f"{found.share:.3f} [{', '.join(ends)}] (n={found.n})"


def _untaught(rows: Rows, view: str, state: State) -> str:
    """Accuracy on V before and after the attack."""
    level = rows.find("forget", view, "level", state, "value")
    if level is not None:
        return f"{level.value:.3f} (no twin: by frequency)"
    before, after = (
        rows.at("forget", view, f"{name}_accuracy", state, "value").value
        for name in ("unattacked", "attacked")
    )
    return f"{before:.3f} → {after:.3f}"


def _short(form: str) -> str:
    return "FP" if form == FP else format_title(form)
