"""Rule 4: the circuit is dismantled, not only its read-out. [P, the rules O]"""

from mansu.study.rules.base import RULES, Case, Part, interval, join, short
from mansu.study.scorecard import Outcome, Row, Rows, Verdict
from mansu.study.state import FP, State


def judge_structural(case: Case) -> Verdict:
    """Rule 4, in every format."""
    formats = " and ".join(map(short, (FP, *case.deployed)))
    rule = (
        f"in {formats}, lower ends: CAD above {RULES.min_cad:g} and its noise floor, normalised "
        f"CAD above its noise floor (or less than {RULES.vanished:.0%} of the attribution left), "
        f"unlearning depth at least {RULES.min_depth:g}, AS-C above its noise floor"
    )
    if not case.deployed:
        why = "no format was measured, so there is no noise floor"
        return Verdict("structural", "not testable", rule, why)
    parts = [part for form in (FP, *case.deployed) for part in _dismantled(case, form)]
    return join("structural", rule, parts, _where(case))


def noise_floor(rows: Rows, metric: str, form: str, view: str = "circuit") -> Row:
    """What a format alone does to the original; in full precision, what the first format does."""
    deployed = form if form != FP else next(f for f in rows.formats if f != FP)
    return rows.at("forget", view, metric, State("original", deployed), "gap")


def _dismantled(case: Case, form: str) -> list[Part]:
    """The conditions in one format."""
    return [
        _vanished(case, form) or _against(case, form, "normalised_cad", "normalised CAD", 0.0),
        _against(case, form, "cad", "CAD", RULES.min_cad),
        _against(case, form, "activation_shift", "AS-C", 0.0),
        _deep(case, form),
    ]


def _find(case: Case, metric: str, form: str) -> Row | None:
    return case.rows.find("forget", "circuit", metric, case.state(form), "change")


def _vanished(case: Case, form: str) -> Part | None:
    """Where hardly any attribution is left, it does not matter where it points."""
    left = _find(case, "mass_ratio", form)
    if left is None or (left.value or 0.0) >= RULES.vanished:
        return None
    return Part("holds", f"normalised CAD {short(form)} vanished ({left.value:.1%} left)")


def _against(case: Case, form: str, metric: str, title: str, least: float) -> Part:
    """A divergence against its threshold and its noise floor."""
    row = _find(case, metric, form)
    if row is None:
        return Part("not testable", f"{title} {short(form)} has no number")
    floor = noise_floor(case.rows, metric, form)
    needed = max(least, floor.high or 0.0)
    told = f"{title} {short(form)} {interval(row, '.2f')}, noise {interval(floor, '.2f')}"
    return Part(_above(row, (row.low or 0.0) > needed, needed), told)


def _deep(case: Case, form: str) -> Part:
    row = case.rows.find("forget", "depth", "unlearning_depth", case.state(form), "change")
    if row is None or row.value is None:
        return Part("not testable", f"depth {short(form)} has no number")
    holds = (row.low or 0.0) >= RULES.min_depth
    return Part(_above(row, holds, RULES.min_depth), f"depth {short(form)} {interval(row, '.2f')}")


def _above(row: Row, holds: bool, needed: float) -> Outcome:
    return "holds" if holds else "fails" if (row.value or 0.0) <= needed else "undecided"


def _where(case: Case) -> str:
    """Whether the change is the circuit's, in a word a format."""
    words = []
    for form in (FP, *case.deployed):
        row = case.rows.find("forget", "circuit", "shift_ratio", case.state(form), "change")
        if row is not None:
            word = "localised" if (row.low or 0.0) > 1 else "broad"
            words.append(f"{word} in {short(form)}: AS-C / AS-NC {interval(row, '.2f')}")
    return "; ".join(words)
