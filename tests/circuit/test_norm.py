"""The closed-form backward pass of RMSNorm against autograd."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mansu.circuit.norm import NormInput, pull_back, pull_back_heads

EPSILON = 1e-3
SIZES = st.integers(1, 4)


def norm(x: torch.Tensor, gain: torch.Tensor) -> torch.Tensor:
    return gain * x / torch.sqrt(x.square().mean(-1, keepdim=True) + EPSILON)


@settings(deadline=None)
@given(SIZES, SIZES, SIZES, SIZES, st.integers(1, 6), st.integers(0, 100))
def test_the_pull_back_of_heads_is_the_gradient_at_each_heads_own_input(
    runs: int, tokens: int, heads: int, size: int, d: int, seed: int
):
    torch.manual_seed(seed)
    x, gain = torch.randn(runs, tokens, d).double(), torch.randn(d).double()
    weight = torch.randn(heads * size, d).double()
    gradient = torch.randn(runs, tokens, heads * size).double()
    inputs = [x.clone().requires_grad_() for _ in range(heads)]
    rows = weight.view(heads, size, d)
    output = torch.cat([norm(one, gain) @ w.T for one, w in zip(inputs, rows, strict=True)], -1)
    expected = torch.stack(torch.autograd.grad(output, inputs, gradient)).sum(1)
    found = torch.empty(heads, tokens, d).double()
    pull_back_heads(NormInput.of(x, gain, EPSILON), gradient, output.detach(), weight, found)
    torch.testing.assert_close(found, expected)


@settings(deadline=None)
@given(SIZES, SIZES, st.integers(1, 6), st.integers(0, 100))
def test_the_pull_back_of_a_norm_is_its_gradient(runs: int, tokens: int, d: int, seed: int):
    torch.manual_seed(seed)
    x = torch.randn(runs, tokens, d).double().requires_grad_()
    gain, gradient = torch.randn(d).double(), torch.randn(runs, tokens, d).double()
    output = norm(x, gain)
    (expected,) = torch.autograd.grad(output, x, gradient)
    found = torch.empty(1, tokens, d).double()
    pull_back(NormInput.of(x.detach(), gain, EPSILON), gradient, output.detach(), found)
    torch.testing.assert_close(found[0], expected.sum(0))


def test_padding_of_zeros_stays_finite():
    x, gain = torch.zeros(1, 2, 3), torch.ones(3)
    found = torch.empty(1, 2, 3)
    pull_back(NormInput.of(x, gain, 1e-6), torch.zeros(1, 2, 3), torch.zeros(1, 2, 3), found)
    assert found.abs().max() == 0
