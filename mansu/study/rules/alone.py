"""What can be said of a model without its original: knowledge can be shown, its loss cannot. [O]

That a model answers above the level proves that it knows. That it does not may be forgetting, or it
never knew, or it is silent: no rule can hold here, and each says what the original would tell.
"""

from collections.abc import Mapping

from mansu.study.rules.base import RULES, Part, interval, join, short
from mansu.study.rules.forgotten import VIEWS
from mansu.study.scorecard import Row, Rows, Verdict
from mansu.study.state import FP, State

_WITHOUT = "the original would tell"


def judge_alone_rows(rows: Rows, known: Mapping[str, str]) -> tuple[Verdict, ...]:
    """The verdicts, named as the rules that judge a pair.

    Args:
        rows: Every number of the model.
        known: What the known facts are of that circuits were compared with, by format.
    """
    deployed = [form for form in rows.formats if form != FP]
    above = f"an answer accuracy of {RULES.testable:g} or more above the level L shows knowledge"
    return (
        join("forgotten", f"full precision: {above}", _known_parts(rows, FP)),
        Verdict(
            "not silenced",
            "not testable",
            "whether wrong options fell and words were lost is told against the original",
            _told(rows, ("open", "degenerate"), "continuations that say nothing")
            + "; "
            + _told(rows, ("open", "kind"), "probability of the answer's kind"),
        ),
        Verdict(
            "retain",
            "not testable",
            "what was lost is told against the original",
            "; ".join(_kept(rows)),
        ),
        join(
            "permanence",
            f"in every format: {above}",
            [part for form in deployed for part in _known_parts(rows, form)],
            "" if deployed else "no format was measured",
        ),
        Verdict(
            "structural",
            "not testable",
            "position of the facts' circuit between known facts (0) and made-up ones (1); the "
            "threshold that CAD and depth have against the original is not known for it",
            "; ".join(_positions(rows, known)) or "the forget set has no invented twin",
        ),
        Verdict(
            "durable",
            "not testable",
            "what relearning brings back is told beside the original",
            "name the original",
        ),
    )


def _known_parts(rows: Rows, form: str) -> list[Part]:
    parts = []
    state = State("unlearned", form)
    for view in VIEWS:
        now = rows.find("forget", view, "accuracy", state, "value")
        if now is None:  # no prompt of this kind that the model answers
            continue
        level = rows.at("forget", view, "level_accuracy", state, "value").value or 0.0
        told = f"{view} {short(form)} {interval(now, '.2f')}, L {level:.2f}"
        if (now.low or 0.0) >= level + RULES.testable:
            parts.append(Part("fails", told))
        else:
            parts.append(Part("undecided", f"{told} (forgotten, or never known: {_WITHOUT})"))
    return parts


def _told(rows: Rows, place: tuple[str, str], words: str) -> str:
    view, metric = place
    row = rows.at("forget", view, metric, State("unlearned", FP), "value")
    return f"{words} {interval(row, '.3f')}"


def _kept(rows: Rows) -> list[str]:
    found = []
    for name in ("retain", "utility", "neighbours", "far utility"):
        row = rows.find(name, "all", "accuracy", State("unlearned", FP), "value")
        if row is not None:
            found.append(f"{name} {interval(row, '.3f')}")
    return found


def _positions(rows: Rows, known: Mapping[str, str]) -> list[str]:
    found = []
    for form in rows.formats:
        address = ("forget", "circuit")
        state = State("unlearned", form)
        apart = rows.find(*address, "separation", state, "value")
        row = rows.find(*address, "position", state, "value")
        if row is not None:
            text = f"position {short(form)} {interval(row, '.2f')} (known facts: {known[form]})"
            found.append(text)
        elif apart is not None:
            found.append(_not_apart(apart, form))
    return found


def _not_apart(row: Row, form: str) -> str:
    return f"{short(form)}: known and made-up facts look alike (1 - S {interval(row, '.2f')})"
