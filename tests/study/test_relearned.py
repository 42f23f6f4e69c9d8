"""What the attacks found, as rows and as a table."""

import dataclasses

import pytest

from mansu.attacks.base import Relearning
from mansu.attacks.relearning.recovery import durable
from mansu.study.card_text import scorecard_table
from mansu.study.relearned import recovered, relearning_lines, relearning_rows
from mansu.study.scorecard import Rows
from mansu.study.state import State
from tests.attacks.test_recovery import attack, settings
from tests.study import made_up

FORMS = ("fp", "nf4")
STATE = State("unlearned", "nf4")


def attacks(control: bool = True, now: float = 0.6, taught: float = 1.0) -> dict:
    origins: dict[str, tuple[Relearning, ...]] = {
        "unlearned": (attack(1e-4, 0.5, taught=taught), attack(5e-4, now, taught=taught)),
        "original": (attack(1e-4, 0.9), attack(5e-4, 0.9)),
    }
    if control:
        origins["control"] = tuple(
            dataclasses.replace(a, rate=rate)
            for a, rate in zip(settings(0.4, 0.4, name="w"), (1e-4, 5e-4), strict=True)
        )
    return dict.fromkeys(FORMS, origins)


def test_rows_hold_the_share_and_all_that_it_is_made_of() -> None:
    rows = relearning_rows(attacks())
    share = rows.at("forget", "relearned", "recovered_share", STATE, "value")
    assert share.value == pytest.approx(0.4)
    assert share.n == 40
    places = {
        ("relearned", "unlearned"): 0.6,
        ("relearned", "original"): 0.9,
        ("never-knew", "original"): 0.4,
    }
    for (view, origin), value in places.items():
        found = rows.at("forget", view, "attacked_accuracy", State(origin, "nf4"), "value")
        assert found.value == pytest.approx(value)
        assert found.low is not None
    assert rows.at("forget", "relearned", "attack_rate", STATE, "value").value == 5e-4
    assert not rows.where(metric="level")


def test_a_set_without_a_twin_says_what_stands_in_for_the_control() -> None:
    rows = relearning_rows(attacks(control=False))
    level = rows.at("forget", "never-knew", "level", State("original", "fp"), "value")
    assert level.value == 0.25
    share = rows.at("forget", "relearned", "recovered_share", STATE, "value")
    assert share.value == pytest.approx((0.6 - 0.25) / (0.9 - 0.25))
    assert any("no twin" in line for row in relearning_lines(rows) for line in row)


@pytest.mark.parametrize(
    ("found", "outcome"),
    [(attacks(now=0.42), "undecided"), (attacks(now=0.9), "fails"), (attacks(taught=0.5), "")],
)
def test_the_rule_reads_the_same_from_rows_as_from_the_attacks(found: dict, outcome: str) -> None:
    back = recovered(relearning_rows(found), "fp")
    assert back is not None
    if outcome:
        assert durable(back) == outcome
    else:
        assert durable(back) == "not testable"
        assert back.reason == "no setting taught T"


def test_a_run_without_the_attack_has_no_share() -> None:
    assert recovered(Rows(), "fp") is None


def card_rows() -> Rows:
    states = made_up.in_states(0.9, fp=0.4, nf4=0.4)
    return Rows(
        [
            *made_up.accuracies("forget", "seen", states),
            *made_up.accuracies("retain", "all", states),
            *made_up.accuracies("utility", "all", states),
            *made_up.perplexities(states),
            *made_up.divergences(
                {"fp": (1, 1), "nf4": (1, 1)}, {"nf4": (0, 0)}, {"fp": (1, 0), "nf4": (1, 0)}
            ),
            *made_up.weights(),
        ]
    )


def test_a_scorecard_says_whether_the_model_was_attacked() -> None:
    rows = card_rows()
    assert "relearning: not attacked (mansu run --relearn)" in scorecard_table(
        made_up.scorecard(rows)
    )
    attacked = Rows([*rows, *relearning_rows(attacks())])
    told = scorecard_table(made_up.scorecard(attacked))
    assert "not attacked" not in told
    assert attacked.origins == rows.origins
    lines = {line.split("  ")[0]: line for line in told.splitlines()}
    assert "0.400 [" in lines["recovered share"]
    assert "0.600" in lines["V, unlearned"]
    assert max(map(len, map("  ".join, relearning_lines(attacked)))) <= 80
