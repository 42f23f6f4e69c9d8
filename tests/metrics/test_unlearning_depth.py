"""Unlearning depth from drops: worked by hand, at its ends, and where nothing is carried."""

import numpy as np
import pytest
import torch

from mansu.errors import InputError
from mansu.metrics.depth import unlearning_depth


def test_a_value_worked_by_hand() -> None:
    known = torch.tensor([[0.04, 1.0, 3.0, 0.2]])  # the first layer carries nothing
    drops = torch.tensor([[9.0, 0.5, 3.6, -1.0]])  # scores: none, 1/2, 1 (clipped), 0 (clipped)
    found = unlearning_depth(known, drops, ["a"])
    np.testing.assert_allclose(found.scores, [[np.nan, 0.5, 1.0, 0.0]])
    assert found.by_fact[0] == pytest.approx((1.0 * 0.5 + 3.0 * 1.0) / 4.2)
    assert found.mean is not None
    assert found.mean.value == pytest.approx(3.5 / 4.2)


def test_the_streams_of_the_original_are_0_and_those_of_not_knowing_are_1() -> None:
    known = torch.rand(6, 4, generator=torch.Generator().manual_seed(0)) + 0.1
    facts = list("abcdef")
    intact = unlearning_depth(known, torch.zeros_like(known), facts).mean
    unknown = unlearning_depth(known, known, facts).mean
    assert intact is not None
    assert unknown is not None
    assert (intact.value, intact.low, intact.high, intact.n) == (0, 0, 0, 6)
    assert (unknown.value, unknown.low, unknown.high) == (1, 1, 1)


def test_a_fact_asked_twice_counts_once_with_the_layers_of_both_prompts() -> None:
    known = torch.tensor([[1.0, 0.0], [0.0, 3.0], [1.0, 1.0]])
    drops = torch.tensor([[1.0, 0.0], [0.0, 1.5], [0.0, 0.0]])
    found = unlearning_depth(known, drops, ["a", "a", "b"])
    assert found.facts == ("a", "b")
    np.testing.assert_allclose(found.scores, [[1, 0.5], [0, 0]])
    np.testing.assert_allclose(found.by_fact, [2.5 / 4, 0])
    assert found.mean is not None
    assert (found.mean.n, found.mean.value) == (2, pytest.approx(2.5 / 8))


def test_facts_that_no_layer_carries_are_left_out_and_counted() -> None:
    known = torch.tensor([[0.04, -2.0], [1.0, 1.0]])
    drops = torch.tensor([[5.0, 5.0], [1.0, 0.0]])
    found = unlearning_depth(known, drops, ["lost", "kept"])
    assert found.left_out == 1
    assert np.isnan(found.by_fact[0])
    assert np.isnan(found.scores[0]).all()
    assert found.mean is not None
    assert (found.mean.n, found.mean.value) == (1, 0.5)
    nothing = unlearning_depth(known[:1], drops[:1], ["lost"])
    assert (nothing.mean, nothing.left_out) == (None, 1)


def test_drops_of_other_prompts_or_of_a_broken_model_are_refused() -> None:
    drops = torch.ones(2, 3)
    with pytest.raises(InputError, match="these differ"):
        unlearning_depth(drops, drops[:1], ["a", "b"])
    with pytest.raises(InputError, match="not finite"):
        unlearning_depth(drops, drops * torch.nan, ["a", "b"])
