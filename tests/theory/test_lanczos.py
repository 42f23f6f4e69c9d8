"""Lanczos against exact eigenvalues."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mansu.errors import InputError, RunError
from mansu.theory import largest_eigenvalue


def run(matrix: torch.Tensor, steps: int = 60, tolerance: float = 1e-9, seed: int = 0, start=None):
    """Lanczos on a matrix whose vectors are kept in two tensors."""
    size = matrix.shape[0]
    generator = torch.Generator().manual_seed(seed)
    if start is None:
        start = torch.randn(size, generator=generator).to(matrix.dtype)
    cut = size // 2

    def product(vector, onto):
        whole = matrix @ torch.cat([vector["a"], vector["b"].flatten()])
        if onto is not None:
            whole += torch.cat([onto["a"], onto["b"].flatten()])
        return {"a": whole[:cut].clone(), "b": whole[cut:].view(-1, 1).clone()}

    return largest_eigenvalue(
        product, {"a": start[:cut].clone(), "b": start[cut:].clone().view(-1, 1)}, steps, tolerance
    )


def symmetric(size: int, seed: int, dtype=torch.float64) -> torch.Tensor:
    x = torch.randn(size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return ((x + x.T) / 2).to(dtype)


@given(st.integers(2, 40), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_it_finds_the_largest_eigenvalue_of_a_random_matrix(size, seed):
    matrix = symmetric(size, seed)
    found = run(matrix)
    assert found.value == pytest.approx(torch.linalg.eigvalsh(matrix)[-1].item(), rel=1e-6)


@given(st.integers(2, 60), st.integers(0, 1000), st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_the_largest_eigenvalue_lies_between_both_ends(size, seed, steps):
    matrix = symmetric(size, seed)
    found = run(matrix, steps=steps, seed=seed + 1)
    top = torch.linalg.eigvalsh(matrix)[-1].item()
    assert found.value - 1e-6 <= top <= found.upper + 1e-6
    assert found.steps <= steps


LINE = torch.linspace(0, 1, 300, dtype=torch.float64)
SPECTRA = {
    "even": LINE,
    "one apart": torch.cat([LINE, torch.tensor([1.2])]),
    "one far apart": torch.cat([LINE, torch.tensor([50.0])]),
    "two nearly equal on top": torch.cat([LINE, torch.tensor([1.3, 1.299])]),
    "ten in a cluster on top": torch.cat([LINE, 1.2 + 1e-6 * torch.arange(10)]),
    "the same one many times": torch.cat([LINE, torch.full((10,), 1.1)]),
    "all below zero": LINE - 3,
    "few and spread": torch.tensor([0.0] * 290 + [1, 2, 3, 5, 8, 20, 21, 72]),
}


@pytest.mark.parametrize("steps", [2, 5, 12])
@pytest.mark.parametrize("spectrum", SPECTRA.values(), ids=SPECTRA)
def test_the_upper_end_holds_from_any_start_even_one_without_the_top(spectrum, steps):
    spectrum, top, margins = spectrum.double(), spectrum.max().item(), []

    def product(vector, onto):
        return {"a": spectrum * vector["a"] + (onto["a"] if onto else 0)}

    for seed in range(200):
        generator = torch.Generator().manual_seed(seed)
        start = torch.randn(len(spectrum), generator=generator, dtype=torch.float64)
        if seed % 2:  # only the random part, which is added, can find it
            start[spectrum == spectrum.max()] = 0
        noise = torch.Generator().manual_seed(1000 + seed)
        found = largest_eigenvalue(product, {"a": start}, steps, 0.0, generator=noise)
        assert found.value - 1e-9 <= top <= found.upper + 1e-9, seed
        margins.append(found.margin)
    if steps == 12:  # and says something
        assert sum(margins) / 200 < 0.4 * (top - spectrum.min().item())


def test_more_steps_bring_both_ends_together():
    matrix = torch.diag(SPECTRA["one apart"])
    margins = [run(matrix, steps=steps).margin for steps in (4, 8, 16, 32)]
    assert margins == sorted(margins, reverse=True)
    assert margins[-1] < 1e-3


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_low_precision_costs_only_its_own_rounding(dtype):
    matrix = symmetric(50, 3, dtype)
    exact = torch.linalg.eigvalsh(matrix.double())[-1].item()
    found = run(matrix, tolerance=1e-3)
    assert found.value == pytest.approx(exact, rel=20 * torch.finfo(dtype).eps)


def test_a_negative_definite_matrix_has_its_largest_not_its_longest_eigenvalue():
    found = run(-torch.diag(torch.arange(1.0, 21.0, dtype=torch.float64)))
    assert found.value == pytest.approx(-1, rel=1e-6)


def test_a_zero_matrix_has_eigenvalue_zero_after_one_product():
    found = run(torch.zeros(10, 10))
    assert (found.value, found.margin, found.steps) == (0, 0, 1)


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_a_multiple_of_the_identity_is_found_at_once(scale):
    found = run(scale * torch.eye(10, dtype=torch.float64))
    assert found.value == pytest.approx(scale)
    assert found.steps == 1


def test_repeated_eigenvalues_are_no_obstacle():
    found = run(torch.diag(torch.tensor([3.0, 3.0, 3.0, 1.0, 1.0, -2.0], dtype=torch.float64)))
    assert found.value == pytest.approx(3)
    assert found.steps <= 3


def test_a_matrix_that_is_not_finite_is_told_in_a_sentence():
    with pytest.raises(RunError, match="not finite in this dtype"):
        run(torch.full((4, 4), torch.inf))


@pytest.mark.parametrize("bad", [torch.zeros(4), torch.full((4,), torch.nan)])
def test_a_start_that_points_nowhere_is_refused(bad):
    with pytest.raises(InputError, match="cannot start"):
        run(torch.eye(4), start=bad)
