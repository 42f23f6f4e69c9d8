"""Proposition 1: the algebra, and the caps of sets of weights."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mansu.quant.codebook import NF4
from mansu.theory import UniformCap, uniform_caps

positive = st.floats(1e-12, 1e6)


@given(st.integers(1, 10**10), positive, positive, positive)
def test_a_uniform_update_at_the_cap_spends_exactly_the_budget(weights, fisher, width, budget):
    cap = UniformCap("set", weights, fisher, width, budget)
    assert 0.5 * weights * fisher * cap.cap**2 == pytest.approx(budget)


@given(st.integers(1, 10**10), positive, positive, positive)
def test_a_bin_is_reached_exactly_up_to_the_stated_number_of_weights(
    weights, fisher, width, budget
):
    cap = UniformCap("set", weights, fisher, width, budget)
    if not math.isclose(cap.bins, 1):
        assert cap.reaches == (cap.bins > 1)
    assert cap.bins**2 == pytest.approx(cap.most_weights / weights)


def test_a_retain_set_that_does_not_mind_sets_no_cap():
    cap = UniformCap("set", 10, 0.0, 0.1, 0.01)
    assert (cap.cap, cap.bins, cap.most_weights) == (math.inf,) * 3
    assert cap.reaches


def test_the_caps_take_the_mean_bin_of_their_own_weights():
    generator = torch.Generator().manual_seed(0)
    weights = {n: s * torch.randn(4, 64, generator=generator) for n, s in (("a", 1.0), ("b", 3.0))}
    index = torch.tensor([0, 7, 200])
    sets = {"all": dict.fromkeys(weights), "some": {"b": index}}
    every, some = uniform_caps(weights, sets, {"all": 0.5, "some": 0.25}, 0.01, NF4)
    widths = {name: NF4.bin_widths(weight).flatten() for name, weight in weights.items()}
    assert (every.weights, some.weights) == (512, 3)
    assert every.bin_width == pytest.approx(torch.cat(list(widths.values())).mean().item())
    assert some.bin_width == pytest.approx(widths["b"][index].mean().item())
    assert (every.fisher, some.fisher) == (0.5, 0.25)
