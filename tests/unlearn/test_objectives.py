import math
from functools import partial

import pytest
import torch

from mansu.unlearn.objectives import cross_entropy, gradient_ascent, kl, npo, npo_sum, simnpo
from mansu.unlearn.said import Said

MEANS, WAS = (-1.0, -3.0), (-1.0, -1.0)  # nats per token of two answers, of one and three tokens
ROWS = torch.tensor([0, 1, 1, 1])


def said(means=MEANS, was=WAS, rows=ROWS):
    """Answers whose tokens, id 0 of two, all have the log-probability of their answer's mean."""

    def spread(values):
        likely = torch.as_tensor(values, dtype=torch.float64)[rows]
        return torch.stack([likely, torch.log1p(-likely.exp())], dim=1)

    return Said(spread(means), spread(was), torch.zeros_like(rows), rows, rows.bincount())


def softplus(value):
    return math.log(1 + math.exp(value))


def test_npo_is_the_published_form_over_mean_log_probabilities():
    beta, margin = 0.5, 2.0
    each = [2 / beta * softplus(beta * (m - w + margin)) for m, w in zip(MEANS, WAS, strict=True)]
    assert npo(said(), beta, margin).item() == pytest.approx(sum(each) / 2)


def test_npo_as_published_takes_summed_log_probabilities():
    beta = 0.1
    each = [2 / beta * softplus(beta * (s - w)) for s, w in ((-1.0, -1.0), (-9.0, -3.0))]
    assert npo_sum(said(), beta).item() == pytest.approx(sum(each) / 2)


def test_simnpo_compares_with_nothing_and_takes_means():
    beta, gamma = 2.5, 0.5
    each = [2 / beta * softplus(beta * (m + gamma)) for m in MEANS]
    assert simnpo(said(was=(-7.0, -7.0)), beta, gamma).item() == pytest.approx(sum(each) / 2)


def test_npo_pulls_less_and_less_once_the_margin_is_reached():
    pulls = []
    for depth in (0.0, 10.0, 40.0):
        likely = torch.tensor([-1.0 - depth], dtype=torch.float64, requires_grad=True)
        one = said(likely, (-1.0,), torch.tensor([0]))
        npo(one, 0.5, 10.0).backward()
        pulls.append(likely.grad.item())
    assert pulls[0] > pulls[1] > pulls[2] > 0
    assert pulls[1] == pytest.approx(1.0)  # σ(0) · 2
    assert pulls[2] < 1e-5


def test_gradient_ascent_lowers_and_relabelling_raises_the_targets_likelihood():
    assert gradient_ascent(said()).item() == pytest.approx(-2.0)
    assert cross_entropy(said()).item() == pytest.approx(2.0)


def test_the_retain_term_is_kl_from_the_original_to_the_trained_model():
    torch.manual_seed(0)
    p, q = torch.randn(4, 11).log_softmax(-1), torch.randn(4, 11).log_softmax(-1)
    make = partial(Said, token=torch.zeros_like(ROWS), row=ROWS, per_row=ROWS.bincount())
    expected = (p.exp() * (p - q)).sum(-1).mean()
    torch.testing.assert_close(kl(make(q, p)), expected)
    assert kl(make(p, p)).abs() < 1e-6
    with pytest.raises(ValueError, match="must say so"):
        kl(make(p, None))
