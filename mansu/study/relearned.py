"""What an attack that fine-tunes found, as rows of the scorecard, and in words."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from mansu.attacks.relearning.recovery import Recovery, recover, why_undefined
from mansu.metrics.significance import accuracy_interval
from mansu.study.scorecard import Row, Rows
from mansu.study.state import FP, State, format_title

if TYPE_CHECKING:
    from mansu.attacks.base import Relearning

    Found = Mapping[str, Mapping[str, tuple[Relearning, ...]]]

RELEARN = "relearn"  # the attack that rule 5 reads
CONTROL = "never-knew"


def view_of(name: str) -> str:
    """The view of an attack's rows."""
    return "relearned" if name == RELEARN else name


def control_of(view: str) -> str:
    """The view of its control's.

    The control is the original on facts that nobody knows: its rows are the original's, in a view
    of their own.
    """
    return CONTROL if view == "relearned" else f"{view}, {CONTROL}"


def place_of(view: str, origin: str) -> tuple[str, str]:
    """View and origin of the rows about an attacked origin."""
    return (control_of(view), "original") if origin == "control" else (view, origin)


def relearning_rows(found: "Found", name: str = RELEARN) -> Rows:
    """The recovered share in every format, and the accuracies that it is made of.

    All are about the setting with the largest share:

    * ``recovered_share``: with its interval; ``settings_taught``: of ``n`` settings, those that
      taught T; ``attack_rate``, ``redeployed`` (1: as deployed again), ``taught_aim``;
    * of unlearned, original and control: ``attacked_accuracy`` and ``unattacked_accuracy`` on V,
      ``taught_accuracy`` on T, and ``attack_steps``;
    * ``level``, in the control's view, where no control ran and this stands in for it.

    Args:
        found: Every setting, by format and origin.
        name: The attack's.
    """
    view = view_of(name)
    return Rows(row for form, beside in found.items() for row in _rows(view, form, beside))


def _rows(view: str, form: str, beside: "Mapping[str, tuple[Relearning, ...]]") -> Iterator[Row]:
    control, level = beside.get("control"), beside["original"][0].level
    found = recover(beside["unlearned"], beside["original"], control or level)
    where = ("unlearned", form, "value")
    ends = (found.low, found.high, found.n)
    yield Row("forget", view, "recovered_share", *where, found.share, *ends)
    settings = len(beside["unlearned"])
    yield Row("forget", view, "settings_taught", *where, found.taught, n=settings)
    yield Row("forget", view, "attack_rate", *where, found.rate)
    yield Row("forget", view, "redeployed", *where, float(found.reading == "redeployed"))
    yield Row("forget", view, "taught_aim", *where, beside["unlearned"][0].aim)
    for origin, attacks in beside.items():
        attack = next(a for a in attacks if a.rate == found.rate)
        yield from _accuracies(attack, found, place_of(view, origin), form)
    if control is None:
        yield Row("forget", control_of(view), "level", "original", form, "value", level)


def _accuracies(
    attack: "Relearning", found: Recovery, place: tuple[str, str], form: str
) -> Iterator[Row]:
    view, origin = place
    where = (origin, form, "value")
    for metric, check in (
        ("attacked_accuracy", attack.last),
        ("unattacked_accuracy", attack.checks[0]),
    ):
        scores = getattr(check, found.reading)
        e = accuracy_interval(scores.correct, scores.facts)
        yield Row("forget", view, metric, *where, e.value, e.low, e.high, e.n)
    yield Row("forget", view, "taught_accuracy", *where, attack.last.taught)
    yield Row("forget", view, "attack_steps", *where, attack.last.step)


def recovered(rows: Rows, form: str, view: str = "relearned") -> Recovery | None:
    """The recovered share of a format as the rows have it; None where nothing was attacked."""
    state = State("unlearned", form)
    share = rows.find("forget", view, "recovered_share", state, "value")
    if share is None:
        return None
    taught, rate, again = (
        rows.at("forget", view, name, state, "value").value or 0.0
        for name in ("settings_taught", "attack_rate", "redeployed")
    )
    reason = "" if share.value is not None else why_undefined(int(taught))
    ends = (share.low, share.high, share.n or 0)
    return Recovery(
        share.value, *ends, reason, int(taught), rate, "redeployed" if again else "trained"
    )


def relearning_lines(rows: Rows, name: str = RELEARN, title: str = "relearning") -> list[list[str]]:
    """The attack as a table, a heading first, a column a format; empty where nothing attacked."""
    view = view_of(name)
    asked = rows.where(view=view, metric="recovered_share")
    if not asked:
        return []
    forms = [row.format for row in asked]
    ours = [State("unlearned", form) for form in forms]
    named = [("unlearned", view, "unlearned"), ("original", view, "original")]
    named.append(("never-knew control", control_of(view), "original"))
    table = [[title, *map(_short, forms)]]
    table.append(["recovered share", *(_share(rows, form, view) for form in forms)])
    for who, place, origin in named:
        places = [State(origin, form) for form in forms]
        told = [_untaught(rows, place, state) for state in places]
        table.append([f"V, {who}", *told])
    for what, metric, digits in (
        ("T, taught", "taught_accuracy", ".3f"),
        ("  to be taught", "taught_aim", ".3f"),
        ("  after steps", "attack_steps", ".0f"),
        ("  at rate", "attack_rate", "g"),
    ):
        found = [rows.at("forget", view, metric, place, "value").value for place in ours]
        table.append([what, *(f"{value:{digits}}" for value in found)])
    found = [rows.at("forget", view, "settings_taught", place, "value") for place in ours]
    table.append(["  settings that taught", *(f"{r.value:.0f} of {r.n}" for r in found)])
    return table


def _share(rows: Rows, form: str, view: str) -> str:
    found = recovered(rows, form, view)
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
