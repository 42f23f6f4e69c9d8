"""A rule gets the two terms' gradients apart, each from a pass over its own examples alone."""

import pytest
import torch

from mansu.unlearn.in_loop import InLoopLatents
from mansu.unlearn.latents import Latents
from mansu.unlearn.rule import Rule
from tests.unlearn.test_descent import make_loop


@pytest.mark.parametrize("kind", [Latents, InLoopLatents])
def test_gradients_taken_apart_sum_to_that_of_the_whole_loss(parts, kind):
    whole, apart = make_loop(parts, kind), make_loop(parts, kind)
    apart._rule = Rule()
    for loop in (whole, apart):  # away from θ₀, where the retain term has a gradient
        loop.latents.values += 0.05 * torch.sin(torch.arange(len(loop.latents.values)))
        loop.latents.clamp()
        loop.latents.write()
    (expected,), losses = whole._gradients(0)
    found, terms = apart._gradients(0)
    assert len(found) == 2
    assert all(part.abs().max() > 0 for part in found)
    torch.testing.assert_close(found[0] + found[1], expected, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(terms, losses, rtol=1e-4, atol=1e-5)


def test_a_rule_that_only_adds_trains_as_no_rule_does(parts):
    plain, ruled = make_loop(parts, steps=4), make_loop(parts, steps=4)
    ruled._rule = Rule()
    one, other = plain.run(), ruled.run()
    assert [r.forget for r in one.history] == pytest.approx([r.forget for r in other.history], 1e-3)
