"""Which check is kept, and when training has nothing left to do, by known answers."""

import pytest

from mansu.unlearn.checkpoint import StepRecord, Validation, has_settled, is_lost, kept_of


def check(step: int, auc: float, drop: float = 0.0, fall: float = 0.0) -> Validation:
    return Validation(step, auc, drop, auc, 0.5, fall)


def records(*losses: float) -> list[StepRecord]:
    return [StepRecord(n, loss, 0.0, 1.0) for n, loss in enumerate(losses, start=1)]


def test_the_kept_check_is_the_one_nearest_to_the_level_and_not_the_lowest():
    inverted, near, known = check(6, 0.2), check(4, 0.58), check(2, 0.9)
    assert kept_of([known, near, inverted], "best") is near


def test_of_two_checks_as_near_the_earlier_is_kept():
    above, below = check(2, 0.75), check(4, 0.25)
    assert kept_of([above, below], "best") is above


@pytest.mark.parametrize("bad", [{"drop": 0.021}, {"fall": 2.1}])
def test_a_check_that_lost_the_retain_set_or_fell_silent_is_never_kept(bad):
    assert kept_of([check(2, 0.5, **bad)], "best") is None
    fair = check(4, 0.9, drop=0.88 - 0.86, fall=2.0)  # 2 pp, as floats have it
    assert kept_of([check(2, 0.5, **bad), fair], "best") is fair


def test_wrong_options_may_rise_as_they_like():
    assert kept_of([check(2, 0.5, fall=-7.0)], "best") is not None


def test_a_method_without_a_rule_keeps_the_last_check():
    checks = [check(2, 0.5), check(4, 0.9, drop=0.9)]
    assert kept_of(checks, "last") is checks[-1]
    assert kept_of([], "last") is kept_of([], "best") is None


def test_training_has_settled_once_neither_term_nor_checks_improve():
    flat = records(3, 3, 1, 1, 1, 1)
    assert has_settled(flat, [check(2, 0.9), check(4, 0.6), check(6, 0.6)], every=2)
    assert not has_settled(flat, [check(2, 0.9), check(4, 0.6), check(6, 0.55)], every=2)
    falling = records(3, 3, 1, 1, 0.9, 0.9)
    assert not has_settled(falling, [check(2, 0.9), check(4, 0.6), check(6, 0.6)], every=2)


def test_a_term_that_rises_below_zero_has_settled_and_one_that_falls_has_not():
    checks = [check(2, 0.9), check(4, 0.9)]
    assert has_settled(records(-1, -1, -0.9, -0.9), checks, every=2)
    assert not has_settled(records(-1, -1, -1.5, -1.5), checks, every=2)


def test_training_never_settles_before_its_second_check_or_between_two():
    assert not has_settled(records(1, 1), [check(2, 0.9)], every=2)
    assert not has_settled(records(1, 1, 1, 1, 1), [check(2, 0.9), check(4, 0.9)], every=2)
    assert not has_settled([], [], every=2)


def test_training_is_lost_after_as_many_checks_over_the_limits_in_a_row_as_patience_has():
    good, bad = check(2, 0.5), check(4, 0.5, fall=3.0)
    assert is_lost([good, bad, bad], 2)
    assert not is_lost([bad, bad, good], 2)
    assert not is_lost([bad, good, bad], 2)
    assert not is_lost([bad], 2)
    assert not is_lost([bad, bad, bad], 0)
    assert not is_lost([], 1)
