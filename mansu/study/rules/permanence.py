"""Rule 3: forgotten and not silenced in every deployment format as well. [P, the rules O]"""

from mansu.study.rules.base import RULES, Case, Part, interval, join, short
from mansu.study.rules.forgotten import VIEWS, forgotten_parts, spoken_parts
from mansu.study.scorecard import Verdict


def judge_permanence(case: Case) -> Verdict:
    """Rule 3, over all measured formats."""
    names = " and ".join(map(short, case.deployed)) or "no format"
    rule = (
        f"rules 1a and 1b in {names}, against Q(θ₀), and no prompt's accuracy rises by more than "
        f"{RULES.max_gap_high:+.2f} from full precision, at its interval's upper end"
    )
    parts: list[Part] = []
    for form in case.deployed:
        parts += [*forgotten_parts(case, form), *spoken_parts(case, form), *_gaps(case, form)]
    tested = [part for part in parts if part.outcome != "not testable"]
    lost = any(p.outcome != "not testable" for f in case.deployed for p in forgotten_parts(case, f))
    note = "" if case.deployed else "no format was measured"
    return join("permanence", rule, tested if lost else [], note or _untested(parts))


def _gaps(case: Case, form: str) -> list[Part]:
    parts = []
    for view in VIEWS:
        gap = case.rows.find("forget", view, "accuracy", case.state(form), "gap")
        if gap is not None:
            small = (gap.high or 0.0) <= RULES.max_gap_high
            text = f"{view} gap {interval(gap)}"
            parts.append(Part("holds" if small else "fails", text))
    return parts


def _untested(parts: list[Part]) -> str:
    return "; ".join(part.text for part in parts if part.outcome == "not testable")
