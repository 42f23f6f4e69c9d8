"""The rules of the verdict on made-up numbers: each holds, fails, stays open, on its own ground."""

from collections.abc import Mapping

import pytest

from mansu.study.rules import RULES, Case, describe_model, judge_case
from mansu.study.scorecard import Row, Rows, Verdict
from mansu.study.state import State
from tests.study.made_up import (
    CHANCE,
    ORIGINAL,
    UNLEARNED,
    accuracies,
    divergences,
    in_states,
    levels,
    losses,
    speech,
    weights,
)

FORMS = ("fp", "nf4")


def forget(view: str, base: float, fp: float, nf4: float, width: float = 0.03) -> Rows:
    return accuracies("forget", view, in_states(base, fp=fp, nf4=nf4), width=width)


def kept(name: str, base: float, fp: float, nf4: float, width: float = 0.02, n: int = 400) -> Rows:
    return accuracies(name, "all", in_states(base, fp=fp, nf4=nf4), n=n, width=width)


def depths(fp: float, nf4: float, width: float = 0.05) -> Rows:
    rows = []
    for form, value in (("fp", fp), ("nf4", nf4)):
        ends = (value, value - width, value + width, 48)
        rows.append(Row("forget", "depth", "unlearning_depth", UNLEARNED, form, "change", *ends))
    return Rows(rows)


GOOD = {
    "seen": forget("seen", 0.9, 0.3, 0.3),
    "held-out": forget("held-out", 0.8, 0.35, 0.35),
    "far": forget("far", 0.75, 0.4, 0.4),
    "level": levels(FORMS),
    "speech": speech(FORMS),
    "retain": kept("retain", 0.8, 0.79, 0.79),
    "utility": kept("utility", 0.9, 0.9, 0.89),
    "neighbours": kept("neighbours", 0.7, 0.7, 0.69),
    "far utility": kept("far utility", 0.7, 0.7, 0.7),
    "text": losses(FORMS),
    "structure": divergences(
        {"fp": (0.99, 0.4), "nf4": (0.99, 0.5)},
        {"nf4": (0.12, 0.12)},
        {"fp": (0.6, 0.2), "nf4": (0.6, 0.2)},
    ),
    "floor": Rows(
        [Row("forget", "circuit", "activation_shift", ORIGINAL, "nf4", "gap", 0.3, 0.2, 0.4, 48)]
    ),
    "depth": depths(0.8, 0.8),
    "weights": weights(),
}


def case(changed: Mapping[str, Rows | None] | None = None, facts: int = 100) -> Case:
    """The case of good numbers with some exchanged, or left out where None is given."""
    parts = {**GOOD, **(changed or {})}
    # The floor's own row of AS-C stands before the one that is made up with the others.
    order = ("floor", *(name for name in parts if name != "floor"))
    rows = [row for name in order for row in parts[name] or ()]
    return Case(Rows(rows), CHANCE, facts)


def judged(changed: Mapping[str, Rows | None] | None = None, **more) -> dict[str, Verdict]:
    return {verdict.name: verdict for verdict in judge_case(case(changed, **more))}


def outcome(name: str, changed: Mapping[str, Rows | None] | None = None, **more) -> str:
    return judged(changed, **more)[name].outcome


def word(changed: Mapping[str, Rows | None] | None = None) -> str:
    found = case(changed)
    return describe_model(found, judge_case(found))


def test_every_rule_holds_on_good_numbers_but_the_one_that_was_not_tried():
    found = {name: verdict.outcome for name, verdict in judged().items()}
    assert found.pop("durable") == "not testable"
    assert set(found.values()) == {"holds"}
    assert word() == "forgotten"


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"seen": forget("seen", 0.9, 0.57, 0.3)}, "holds"),
        ({"seen": forget("seen", 0.9, 0.58, 0.3)}, "fails"),
        ({"held-out": forget("held-out", 0.8, 0.7, 0.7)}, "fails"),
        ({"far": forget("far", 0.75, 0.7, 0.7)}, "fails"),
        ({"seen": forget("seen", 0.9, 0.3, 0.3, width=0.65)}, "not testable"),
        ({"held-out": None}, "holds"),
        ({"far": None}, "holds"),
        # Where more can be had without knowing, the way to fall is shorter, or too short to see.
        ({"level": levels(FORMS, 0.70), "seen": forget("seen", 0.9, 0.8, 0.3)}, "holds"),
        ({"level": levels(FORMS, 0.80)}, "not testable"),
        ({"seen": forget("seen", 0.9, 0.1, 0.3)}, "fails"),
    ],
)
def test_forgotten_is_half_of_the_way_to_the_level_on_every_kind_of_prompt(changed, expected):
    if "seen" in changed and expected == "not testable":
        changed = {**changed, "held-out": None, "far": None}
    assert outcome("forgotten", changed) == expected


def test_a_fall_that_may_be_none_is_undecided_and_says_how_many_items_would_tell():
    rows = forget("seen", 0.9, 0.5, 0.5, width=0.02)
    wide = Rows(
        Row(*row_address(r), r.value, -0.9, 0.1, r.n) if r.kind == "change" else r for r in rows
    )
    found = judged({"seen": wide})["forgotten"]
    assert found.outcome == "undecided"
    assert "items would tell" in found.reason


def row_address(row: Row) -> tuple:
    return (row.set, row.view, row.metric, row.origin, row.format, row.kind)


def test_what_is_missing_is_said_beside_the_verdict():
    found = judged({"held-out": None, "far": None})["forgotten"]
    assert "seen only" in found.reason
    assert "names not controlled" in found.reason


def test_a_model_that_avoids_the_right_answer_is_called_inverted():
    changed = {"seen": forget("seen", 0.9, 0.1, 0.1)}
    assert outcome("forgotten", changed) == "fails"
    assert word(changed) == "inverted"


@pytest.mark.parametrize(
    ("said", "expected", "called"),
    [
        ({"wrong": -2.0}, "holds", "forgotten"),
        ({"wrong": -2.1, "degenerate": 0.3}, "fails", "silenced"),
        ({"degenerate": 0.05}, "holds", "forgotten"),
        ({"degenerate": 0.06}, "fails", "silenced"),
        ({"kind": 0.25}, "holds", "forgotten"),
        ({"kind": 0.24}, "fails", "refuses"),
        ({"wrong": -20.0, "entropy": 0.2}, "fails", "constant"),
        ({"n": 299}, "undecided", "forgotten"),
    ],
)
def test_a_model_that_forgot_still_speaks_of_such_things(said, expected, called):
    changed = {"speech": speech(FORMS, **said)}
    assert outcome("not silenced", changed) == expected
    assert word(changed) == called


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"retain": kept("retain", 0.8, 0.78, 0.79)}, "holds"),
        (
            {"beside": kept("retained beside", 0.9, 0.9, 0.9)},
            "holds",
        ),
        (
            {"beside": kept("retained beside", 0.9, 0.9, 0.8)},
            "fails",
        ),
        ({"retain": kept("retain", 0.8, 0.79, 0.75)}, "fails"),
        ({"neighbours": kept("neighbours", 0.7, 0.6, 0.7)}, "fails"),
        ({"far utility": kept("far utility", 0.7, 0.7, 0.6)}, "fails"),
        ({"utility": kept("utility", 0.9, 0.87, 0.9, width=0.05)}, "undecided"),
        ({"utility": kept("utility", 0.9, 0.9, 0.9, width=0.06)}, "undecided"),
        ({"retain": kept("retain", 0.8, 0.8, 0.8, n=299)}, "undecided"),
        ({"neighbours": None, "far utility": None}, "holds"),
        ({"neighbours": kept("neighbours", 0.3, 0.1, 0.1)}, "holds"),
        ({"text": losses(FORMS, 0.02)}, "holds"),
        ({"text": losses(FORMS, 0.174)}, "fails"),
        ({"text": losses(FORMS, 0.03)}, "undecided"),
    ],
)
def test_retaining_is_within_two_points_on_all_that_was_to_be_kept(changed, expected):
    assert outcome("retain", changed) == expected


def test_sets_that_are_not_there_or_not_known_are_named():
    changed = {"neighbours": None, "far utility": kept("far utility", 0.3, 0.3, 0.3)}
    reason = judged(changed)["retain"].reason
    assert "neighbours not given" in reason
    assert "far utility not known to the original (0.30)" in reason


def test_an_undecided_rule_says_how_many_items_would_decide_it():
    changed = {"utility": kept("utility", 0.9, 0.9, 0.9, width=0.1)}
    # Half of the width is to be .05 where it is .10: four times as many items.
    assert "about 1,600 items" in judged(changed)["retain"].reason


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, "holds"),
        ({"held-out": forget("held-out", 0.8, 0.3, 0.75)}, "fails"),
        ({"far": forget("far", 0.75, 0.3, 0.7)}, "fails"),
        ({"seen": forget("seen", 0.9, 0.3, 0.38)}, "fails"),  # the gap's upper end is above .10
        ({"speech": Rows([*speech(("fp",)), *speech(("nf4",), wrong=-9.0)])}, "fails"),
    ],
)
def test_permanence_needs_both_parts_of_rule_1_in_the_format_on_all_prompts(changed, expected):
    assert outcome("permanence", changed) == expected


def structure(
    fp: tuple[float, float] = (0.99, 0.4), nf4: tuple[float, float] = (0.99, 0.5)
) -> Rows:
    shifts = {"fp": (0.6, 0.2), "nf4": (0.6, 0.2)}
    return divergences({"fp": fp, "nf4": nf4}, {"nf4": (0.12, 0.12)}, shifts)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, "holds"),
        ({"structure": structure(fp=(0.93, 0.4))}, "undecided"),
        ({"structure": structure(fp=(0.9, 0.4))}, "fails"),
        ({"structure": structure(nf4=(0.98, 0.1))}, "fails"),
        ({"depth": depths(0.8, 0.2)}, "fails"),
        ({"depth": depths(0.36, 0.8)}, "undecided"),
        ({"depth": depths(0.4, 0.4)}, "holds"),  # what a model that never knew may reach
        ({"depth": None}, "holds"),
    ],
)
def test_structural_erasure_needs_every_measure_beyond_its_noise(changed, expected):
    assert outcome("structural", changed) == expected


def test_nothing_left_of_an_attribution_is_called_vanished_wherever_it_points():
    rows = Rows(
        Row(*row_address(r), 0.01) if r.metric == "mass_ratio" else r
        for r in structure(fp=(0.99, 0.1), nf4=(0.99, 0.1))
    )
    found = judged({"structure": rows})["structural"]
    assert found.outcome == "holds"
    assert "vanished" in found.reason


def test_where_a_change_lies_is_said_in_a_word():
    rows = [
        Row("forget", "circuit", "shift_ratio", UNLEARNED, form, "change", 2.0, low, 3.0)
        for form, low in (("fp", 1.1), ("nf4", 0.9))
    ]
    found = judged({"ratio": Rows(rows)})["structural"]
    assert "localised in FP" in found.reason
    assert "broad in NF4" in found.reason


def recovered(value: float | None, low: float = 0.0, high: float = 0.0) -> Rows:
    place = ("forget", "relearned", "recovered_share", UNLEARNED)
    return Rows(Row(*place, form, "value", value, low, high, 80) for form in FORMS)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (recovered(0.3, 0.1, 0.5), "holds"),
        (recovered(0.8, 0.6, 1.0), "fails"),
        (recovered(0.5, 0.3, 0.7), "undecided"),
        (recovered(None), "not testable"),
    ],
)
def test_a_durable_forgetting_stands_an_attack(rows, expected):
    assert outcome("durable", {"relearned": rows}) == expected


def test_where_nothing_was_forgotten_there_is_nothing_to_recover():
    changed = {"seen": forget("seen", 0.9, 0.9, 0.9), "relearned": recovered(0.9, 0.8, 1.0)}
    assert outcome("durable", changed) == "not testable"


def test_of_too_few_facts_nothing_is_decided_and_the_numbers_are_shown():
    found = judged(facts=RULES.min_facts - 1)
    assert {verdict.outcome for verdict in found.values()} == {"not testable"}
    assert all("too few facts" in verdict.reason for verdict in found.values())
    assert "0.90 → 0.30" in found["forgotten"].reason


def test_without_a_format_permanence_and_structure_cannot_be_tested():
    changed = {name: Rows(r for r in part if r.format == "fp") for name, part in GOOD.items()}
    found = judged(changed)
    assert found["forgotten"].outcome == "holds"
    assert found["permanence"].outcome == "not testable"
    assert found["structural"].outcome == "not testable"


def test_an_address_that_no_row_has_is_named():
    rows = Rows([Row("forget", "seen", "accuracy", "original", "fp", "value", 0.5)])
    with pytest.raises(KeyError, match="forget/seen/accuracy of unlearned-fp, value"):
        rows.at("forget", "seen", "accuracy", State(UNLEARNED, "fp"), "value")
