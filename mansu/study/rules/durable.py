"""Rule 5: fine-tuning on half of the facts does not bring the other half back. [O]"""

from mansu.study.rules.base import RULES, Case, Part, join, short
from mansu.study.scorecard import Outcome, Row, Verdict
from mansu.study.state import FP


def judge_durable(case: Case, forgotten: Verdict) -> Verdict:
    """Rule 5, in every format that was attacked.

    Args:
        case: What is judged.
        forgotten: The verdict on rule 1a, without which there is nothing to recover.
    """
    rule = (
        f"the share of untaught facts that relearning half of the facts brings back is at most "
        f"{RULES.max_recovered:g} at its interval's upper end, the worst setting of the attack "
        "counting, among those that taught the other half"
    )
    rows = [
        row
        for form in (FP, *case.deployed)
        if (row := case.rows.find(*_PLACE, case.state(form), "value")) is not None
    ]
    if not rows:
        why = "not attacked; mansu run --relearn does"
        return Verdict("durable", "not testable", rule, why)
    if forgotten.outcome == "fails":
        return Verdict("durable", "not testable", rule, "nothing was forgotten")
    parts = []
    for row in rows:
        if row.value is None:
            text = f"{short(row.format)}: no setting of the attack taught its half"
        else:
            low, high = _ends(row)
            text = f"recovered {short(row.format)} {row.value:.2f} [{low:.2f}, {high:.2f}]"
        parts.append(Part(share_outcome(row), text))
    return join("durable", rule, parts)


def share_outcome(row: Row) -> Outcome:
    """Whether a recovered share is small enough, whichever attack it is of."""
    if row.value is None:
        return "not testable"
    low, high = _ends(row)
    if high <= RULES.max_recovered:
        return "holds"
    return "fails" if low > RULES.max_recovered else "undecided"


def _ends(row: Row) -> tuple[float, float]:
    """The ends of its interval; one that is not there is infinitely far."""
    low = float("-inf") if row.low is None else row.low
    return low, float("inf") if row.high is None else row.high


_PLACE = ("forget", "relearned", "recovered_share")
