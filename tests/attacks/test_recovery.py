"""The recovered share, by hand: what counts, what is undefined, and what the rule makes of it."""

from collections.abc import Sequence

import numpy as np
import pytest

from mansu.attacks.base import Check, Relearning
from mansu.attacks.relearning.recovery import Recovery, durable, recover
from mansu.metrics.mcq import McqScores
from tests.study.made_up import answers

FACTS = 40


def scores(accuracy: float, name: str = "v") -> McqScores:
    right = np.arange(FACTS) < round(accuracy * FACTS)
    facts = tuple(f"{name}{i}" for i in range(FACTS))
    return answers(right, facts, "t")


def attack(
    rate: float, trained: float, redeployed: float | None = None, taught: float = 1.0, name="v"
) -> Relearning:
    again = trained if redeployed is None else redeployed
    check = Check(20, taught, scores(trained, name), scores(again, name))
    return Relearning(rate, 0.9, (check,), (), level=0.25)


def settings(*accuracies: float, name: str = "v") -> list[Relearning]:
    return [attack(i + 1, a, name=name) for i, a in enumerate(accuracies)]


def test_the_share_is_the_way_back_from_the_control_to_the_original() -> None:
    found = recover(settings(0.6), settings(0.9), settings(0.4, name="w"))
    assert found.share == pytest.approx((0.6 - 0.4) / (0.9 - 0.4))
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.share < found.high
    assert (found.n, found.taught, found.rate, found.reason) == (FACTS, 1, 1, "")


def test_nothing_back_is_0_and_everything_back_is_1() -> None:
    assert recover(settings(0.4), settings(0.9), settings(0.4, name="w")).share == 0
    assert recover(settings(0.9), settings(0.9), settings(0.4, name="w")).share == 1


def test_the_largest_share_of_the_grid_counts_each_against_its_own_rate() -> None:
    found = recover(settings(0.6, 0.7), settings(0.9, 0.9), settings(0.1, 0.6, name="w"))
    assert found.share == pytest.approx(0.5 / 0.8)
    assert found.rate == 1


def test_the_worse_of_trained_and_deployed_again_counts() -> None:
    attacked = [attack(1, 0.5, 0.7)]
    found = recover(attacked, [attack(1, 0.9, 0.8)], [attack(1, 0.4, 0.4, name="w")])
    assert found.share == pytest.approx(0.3 / 0.4)
    assert found.reading == "redeployed"


def test_a_setting_that_did_not_teach_says_nothing() -> None:
    attacked = [attack(1, 0.9, taught=0.5), attack(2, 0.5)]
    found = recover(attacked, settings(0.9, 0.9), settings(0.4, 0.4, name="w"))
    assert found.share == pytest.approx(0.2)
    assert (found.rate, found.taught) == (2, 1)
    none = recover(attacked[:1], settings(0.9), settings(0.4, name="w"))
    assert (none.share, none.low, none.high, none.taught) == (None, None, None, 0)
    assert none.reason == "no setting taught T"


@pytest.mark.parametrize("original", [0.4, 0.3])
def test_an_original_that_is_not_above_the_control_leaves_no_share(original: float) -> None:
    found = recover(settings(0.4), settings(original), settings(0.4, name="w"))
    assert found.share is None
    assert "no more of V than the control" in found.reason


def test_a_level_stands_in_for_the_control() -> None:
    found = recover(settings(0.5), settings(0.75), 0.25)
    assert found.share == pytest.approx(0.5)
    assert found.high is not None


def test_a_lead_within_the_noise_has_no_upper_end() -> None:
    found = recover(settings(0.5), settings(0.6), settings(0.5, name="w"))
    assert found.share == pytest.approx(0)
    assert found.high is None
    assert durable(found) == "undecided"


def test_the_interval_is_the_same_every_time_and_narrows_with_more_questions() -> None:
    args = settings(0.6), settings(0.9), settings(0.4, name="w")
    assert recover(*args) == recover(*args)


def recovery(ends: Sequence[float | None], share: float | None = 0.3) -> Recovery:
    return Recovery(share, ends[0], ends[1], 40, "", 1, 1e-4, "trained")


@pytest.mark.parametrize(
    ("found", "forgotten", "outcome"),
    [
        (recovery((0.1, 0.5)), True, "holds"),
        (recovery((0.1, 0.51)), True, "undecided"),
        (recovery((0.5, 0.9)), True, "undecided"),
        (recovery((0.51, 0.9)), True, "fails"),
        (recovery((0.51, None)), True, "fails"),
        (recovery((0.1, 0.2)), False, "not testable"),
        (recovery((None, None), None), True, "not testable"),
    ],
)
def test_the_rule_has_four_outcomes(found: Recovery, forgotten: bool, outcome: str) -> None:
    assert durable(found, forgotten) == outcome
