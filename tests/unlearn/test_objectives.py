import math

import pytest
import torch

from mansu.unlearn.objectives import forget_term, retain_term

LIKELY = torch.tensor([-1.0, -3.0], requires_grad=True)
WAS = torch.tensor([-1.0, -1.0])
TOKENS = torch.tensor([1, 3])


def test_npo_is_the_published_form_over_mean_log_probabilities():
    beta, margin = 0.5, 2.0
    found = forget_term("npo", LIKELY, WAS, TOKENS, beta, margin)
    for value, likely, was in zip(found.tolist(), LIKELY.tolist(), WAS.tolist(), strict=True):
        ratio = beta * (likely - was + margin)
        assert value == pytest.approx(-2 / beta * math.log(1 / (1 + math.exp(ratio))))


def test_npo_as_published_takes_summed_log_probabilities():
    beta = 0.1
    found = forget_term("npo_sum", LIKELY, WAS, TOKENS, beta, 0.0)
    sums = [(-1.0, -1.0), (-9.0, -3.0)]
    for value, (likely, was) in zip(found.tolist(), sums, strict=True):
        ratio = (math.exp(likely) / math.exp(was)) ** beta
        assert value == pytest.approx(2 / beta * math.log(1 + ratio))


def test_npo_pulls_less_and_less_once_the_margin_is_reached():
    pulls = []
    for depth in (0.0, 10.0, 40.0):
        likely = torch.tensor([-1.0 - depth], requires_grad=True)
        forget_term("npo", likely, torch.tensor([-1.0]), TOKENS[:1], 0.5, 10.0).sum().backward()
        pulls.append(likely.grad.item())
    assert pulls[0] > pulls[1] > pulls[2] > 0
    assert pulls[1] == pytest.approx(1.0)  # σ(0) · 2
    assert pulls[2] < 1e-5


def test_gradient_ascent_lowers_and_relabelling_raises_the_targets_likelihood():
    assert forget_term("gradient_ascent", LIKELY, WAS, TOKENS, 1.0, 0.0).tolist() == [-1.0, -3.0]
    assert forget_term("cross_entropy", LIKELY, WAS, TOKENS, 1.0, 0.0).tolist() == [1.0, 3.0]


def test_retain_term_is_kl_from_the_original_to_the_trained_model():
    torch.manual_seed(0)
    p, q = torch.randn(5, 11).log_softmax(-1), torch.randn(5, 11).log_softmax(-1)
    expected = (p.exp() * (p - q)).sum(-1)
    torch.testing.assert_close(retain_term(q, p), expected)
    assert retain_term(p, p).abs().max() < 1e-6
