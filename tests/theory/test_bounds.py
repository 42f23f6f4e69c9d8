"""Theorem 1 where it must hold, where it is tight, and where it must be seen to fail."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mansu.theory import Eigenvalue, RetainCost, RetainLoss, Sharpness, largest_eigenvalue
from mansu.theory.retain_loss import norm
from tests.circuit.conftest import make_model


def quadratic(size: int, seed: int):
    """Gradient and Hessian (PSD) of a random quadratic loss at the origin."""
    generator = torch.Generator().manual_seed(seed)
    root = torch.randn(size, size, generator=generator, dtype=torch.float64)
    return torch.randn(size, generator=generator, dtype=torch.float64), root @ root.T


def sharpness(gradient, hessian) -> Sharpness:
    top = torch.linalg.eigvalsh(hessian)[-1].item()
    return Sharpness(len(gradient), gradient.norm().item(), Eigenvalue(top, 0.0, 1))


def cost_of(gradient, hessian, delta) -> RetainCost:
    slope, curvature = (gradient @ delta).item(), (delta @ hessian @ delta).item()
    after = 1 + slope + 0.5 * curvature
    return RetainCost(delta.norm().item(), slope, curvature, 1.0, after)


@given(st.integers(2, 12), st.integers(0, 500), st.floats(1e-3, 1e3))
@settings(max_examples=50, deadline=None)
def test_a_quadratic_loss_stays_within_the_bound(size, seed, scale):
    gradient, hessian = quadratic(size, seed)
    delta = scale * quadratic(size, seed + 1)[0]
    cost = cost_of(gradient, hessian, delta)
    assert cost.within(sharpness(gradient, hessian))
    assert cost.predicted == pytest.approx(cost.measured, abs=1e-9 * (1 + cost.loss_after))


def test_the_bound_is_tight_along_a_gradient_that_is_the_steepest_direction():
    hessian = torch.diag(torch.tensor([3.0, 1.0], dtype=torch.float64))
    gradient = torch.tensor([2.0, 0.0], dtype=torch.float64)
    cost = cost_of(gradient, hessian, torch.tensor([0.5, 0.0], dtype=torch.float64))
    found = sharpness(gradient, hessian)
    assert found.linear(cost.delta_norm) == pytest.approx(1.0)
    assert found.quadratic(cost.delta_norm) == pytest.approx(0.375)
    assert cost.measured == pytest.approx(found.bound(cost.delta_norm))


def test_a_loss_above_the_bound_is_not_within_it():
    gradient, hessian = quadratic(3, 0)
    found = sharpness(gradient, hessian)
    assert not RetainCost(0.1, 0.0, 0.0, 1.0, 1.01 + found.bound(0.1)).within(found)


def test_an_update_of_nothing_is_within_its_bound_of_zero():
    gradient, hessian = quadratic(3, 0)
    found = sharpness(gradient, hessian)
    assert found.bound(0.0) == 0
    assert RetainCost(0.0, 0.0, 0.0, 1.0, 1.0).within(found)


@given(st.integers(3, 12), st.integers(0, 500), st.integers(1, 2))
@settings(max_examples=50, deadline=None)
def test_the_terms_of_a_part_are_at_most_those_of_the_whole(size, seed, part):
    gradient, hessian = quadratic(size, seed)
    inside = sharpness(gradient[:part], hessian[:part, :part])
    assert inside.at_most(sharpness(gradient, hessian)) == (True, True)


def test_a_part_steeper_than_the_whole_is_called_out():
    small, large = Eigenvalue(1.0, 0.01, 3), Eigenvalue(2.0, 0.01, 3)
    assert Sharpness(5, 2.0, large).at_most(Sharpness(9, 1.0, small)) == (False, False)


def test_the_circuit_of_a_random_model_interlaces_with_the_model(model, examples, names):
    found = []
    for chosen in (names(model), list(model.family.linear_weight_names(model.module))):
        loss = RetainLoss(model, examples, chosen)
        gradients = list(loss.gradients())
        gradient = {n: sum(g[n] for g in gradients) / len(examples) for n in chosen}
        length = norm(gradient)
        top = largest_eigenvalue(loss.hessian_vector, gradient, 25, 1e-3)
        found.append(Sharpness(0, length, top))
    assert found[0].at_most(found[1]) == (True, True)
    assert found[1].curvature.value > 0


def test_lanczos_on_a_model_agrees_with_its_hessian_built_column_by_column(examples):
    llama = make_model(hidden_size=4, intermediate_size=6)
    name = llama.family.mlp_weight_names(llama.module, 1)[0]
    loss = RetainLoss(llama, examples, [name])
    weight = llama.module.get_parameter(name)
    units = torch.eye(weight.numel(), dtype=torch.float64).view(-1, *weight.shape)
    hessian = torch.stack([loss.hessian_vector({name: u})[name].flatten() for u in units])
    torch.testing.assert_close(hessian, hessian.T)
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(weight.shape, generator=generator, dtype=torch.float64)
    found = largest_eigenvalue(loss.hessian_vector, {name: start}, 40, 1e-8)
    assert found.value == pytest.approx(torch.linalg.eigvalsh(hessian)[-1].item(), rel=1e-6)
