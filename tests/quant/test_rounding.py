"""The account of what a format makes of an update, against values worked out by hand."""

import pytest
import torch
from torch import tensor

from mansu.quant.rounding import account_rounding


def test_an_update_that_is_stored_as_it_is_has_all_signal_and_no_noise() -> None:
    before = torch.randn(4, 8)
    after = before + 0.1 * torch.randn(4, 8)
    found = account_rounding([(before, after, before, after)])
    assert (found.changed, found.stored) == (32, 1.0)
    assert found.signal == pytest.approx(1)
    assert found.noise == pytest.approx(0, abs=1e-6)


def test_an_update_of_which_nothing_is_stored_is_all_noise() -> None:
    before = torch.zeros(2, 2)
    after = tensor([[0.1, 0.0], [0.0, -0.1]])
    found = account_rounding([(before, after, before, before)])
    assert (found.changed, found.stored, found.signal) == (2, 0.0, 0.0)
    assert found.noise == pytest.approx(1)


def test_one_weight_that_moves_a_whole_step_makes_up_for_those_that_do_not() -> None:
    before = torch.zeros(1, 4)
    after = tensor([[0.25, 0.25, 0.25, 0.25]])
    became = tensor([[1.0, 0.0, 0.0, 0.0]])  # one of four crossed, to the next whole number
    found = account_rounding([(before, after, before, became)])
    assert found.stored == 0.25
    assert found.signal == pytest.approx(1)
    assert found.noise == pytest.approx((0.75**2 + 3 * 0.25**2) ** 0.5 / 0.5)


def test_a_weight_that_moves_although_it_was_not_updated_is_noise_alone() -> None:
    before, after = torch.zeros(1, 2), tensor([[1.0, 0.0]])
    found = account_rounding([(before, after, before, tensor([[1.0, 0.5]]))])
    assert (found.stored, found.signal, found.noise) == (1.0, pytest.approx(1), 0.5)


def test_matrices_add_up() -> None:
    parts = [tuple(torch.randn(3, 4) for _ in range(4)) for _ in range(2)]
    whole = tuple(torch.cat(both) for both in zip(*parts, strict=True))
    one, two = account_rounding(parts), account_rounding([whole])  # pyright: ignore
    assert one.signal == pytest.approx(two.signal)
    assert one.noise == pytest.approx(two.noise)


def test_without_an_update_there_is_no_account() -> None:
    same = torch.ones(2, 2)
    found = account_rounding([(same, same, same, same)])
    assert (found.changed, found.stored, found.signal, found.noise) == (0, None, None, None)
