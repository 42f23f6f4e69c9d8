"""QUAIL's hinge by hand."""

import pytest
import torch

from mansu.unlearn.hinge import logit_hinge
from mansu.unlearn.said import Said

LEVELS = 5
# θ₀'s logits of three tokens over four words, each row centred; their largest are 4, 2 and 8.
WAS = torch.tensor([[4.0, -4, 1, -1], [-2, 2, 0, 0], [8, -8, 2, -2]], dtype=torch.float64)
TOKEN, ROW = torch.tensor([2, 0, 1]), torch.tensor([0, 1, 1])


def said(now: torch.Tensor) -> Said:
    was = WAS.log_softmax(1)
    return Said(now.log_softmax(1), was, TOKEN, ROW, ROW.bincount())


def moved(*by: float) -> torch.Tensor:
    """The answers' logits moved by so much, the others against it: rows stay centred."""
    change = torch.zeros_like(WAS)
    for n, (token, amount) in enumerate(zip(TOKEN.tolist(), by, strict=True)):
        change[n] -= amount / 3
        change[n, token] = amount
    return WAS + change


def test_nothing_moved_costs_half_a_step_of_every_answer():
    # Δ/2 = max|z| / (levels - 1): 1, 0.5 and 2; the second answer has two tokens.
    assert logit_hinge(said(WAS), LEVELS).item() == pytest.approx((1 + (0.5 + 2) / 2) / 2)


def test_what_has_moved_counts_in_both_directions_and_no_more_than_asked():
    found = logit_hinge(said(moved(-0.25, 0.4, -9.0)), LEVELS).item()
    assert found == pytest.approx((0.75 + (0.1 + 0.0) / 2) / 2)


def test_a_shift_of_all_logits_is_no_change():
    assert logit_hinge(said(WAS + 7), LEVELS).item() == logit_hinge(said(WAS), LEVELS).item()


def test_the_hinge_pulls_until_it_is_met_and_then_no_more():
    pulls = []
    for by in (-0.5, -1.5):
        now = moved(by, -9.0, -9.0).requires_grad_()
        logit_hinge(said(now), LEVELS).backward()
        assert now.grad is not None
        pulls.append(now.grad[0, TOKEN[0]].item())
    # Descending, z falls further: |z - z₀| grows. Half of it, for there are two answers.
    assert pulls[0] == pytest.approx(0.5 * (1 - 1 / 4))
    assert pulls[1] == 0
