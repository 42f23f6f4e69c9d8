"""The verdict: all rules on one case, and the word for what became of the model. [O]"""

import dataclasses

from mansu.study.rules.base import RULES, Case
from mansu.study.rules.durable import judge_durable
from mansu.study.rules.forgotten import inverted_views, judge_forgotten, judge_spoken
from mansu.study.rules.permanence import judge_permanence
from mansu.study.rules.retain import judge_retain
from mansu.study.rules.structural import judge_structural
from mansu.study.scorecard import Verdict
from mansu.study.state import FP, State

RULE_NAMES = ("forgotten", "not silenced", "retain", "permanence", "structural", "durable")


def judge_case(case: Case) -> tuple[Verdict, ...]:
    """The verdicts on rules 1a to 5, in that order."""
    forgotten = judge_forgotten(case)
    verdicts = (
        forgotten,
        judge_spoken(case),
        judge_retain(case),
        judge_permanence(case),
        judge_structural(case),
        judge_durable(case, forgotten),
    )
    if case.facts >= RULES.min_facts:
        return verdicts
    few = f"too few facts: {case.facts}, and {RULES.min_facts} are needed"
    return tuple(
        dataclasses.replace(v, outcome="not testable", reason=f"{few}; {v.reason}")
        for v in verdicts
    )


def no_verdicts(reason: str) -> tuple[Verdict, ...]:
    """The verdicts where there is no unlearned model."""
    rule = "there is an unlearned model to ask"
    return tuple(Verdict(name, "not testable", rule, reason) for name in RULE_NAMES)


def describe_model(case: Case, verdicts: tuple[Verdict, ...]) -> str:
    """What became of the model's answers in full precision, in a word."""
    found = {verdict.name: verdict.outcome for verdict in verdicts}
    if inverted_views(case, FP):
        return "inverted"
    if _is_constant(case):
        return "constant"
    if found["not silenced"] == "fails":
        said = case.rows.at("forget", "open", "degenerate", case.state(FP), "change")
        # One that goes on in words declines to answer; one that does not has lost its tongue.
        fluent = (said.value or 0.0) <= RULES.max_degenerate + 1e-9
        return "refuses" if fluent else "silenced"
    return "forgotten" if found["forgotten"] == "holds" else "not forgotten"


def _is_constant(case: Case) -> bool:
    """Whether one answer of the right kind is given to all, whatever the subject."""

    def said(metric: str, state: State) -> float:
        return case.rows.at("forget", "open", metric, state, "value").value or 0.0

    now, before = case.state(FP), State("original", FP)
    speaks = said("kind", now) >= RULES.min_kind * said("kind", before)
    narrow = said("kind_entropy", now) < RULES.min_kind_entropy * said("kind_entropy", before)
    return speaks and narrow and said("subject_dependence", now) < said("kind_entropy", before)
