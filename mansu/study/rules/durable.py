"""Rule 5: fine-tuning on half of the facts does not bring the other half back. [O]"""

from mansu.study.rules.base import RULES, Case, Part, join, short
from mansu.study.scorecard import Verdict
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
            parts.append(Part("not testable", text))
            continue
        # An end that is not there is infinitely far.
        high = float("inf") if row.high is None else row.high
        low = float("-inf") if row.low is None else row.low
        holds, fails = high <= RULES.max_recovered, low > RULES.max_recovered
        outcome = "holds" if holds else "fails" if fails else "undecided"
        told = f"{row.value:.2f} [{low:.2f}, {high:.2f}]"
        parts.append(Part(outcome, f"recovered {short(row.format)} {told}"))
    return join("durable", rule, parts)


_PLACE = ("forget", "relearned", "recovered_share")
