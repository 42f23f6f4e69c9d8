"""The cone's step against scipy's solvers and its own optimality conditions."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize, nnls

from mansu.unlearn.rules import history
from mansu.unlearn.rules.cone import Cone, multipliers

COUNT = 12


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    """Chunks that the vectors do not end with."""
    monkeypatch.setattr(history, "CHUNK", 5)


class Stepped:
    """A rule that has seen some retain gradients, and the AdamW step it is to correct."""

    def __init__(self, seed: int, seen: int, size: int = 8, sign: float = 1.0) -> None:
        torch.manual_seed(seed)
        self.rule = Cone(size)
        self.optimizer = torch.optim.AdamW([torch.zeros(COUNT)], lr=0.1, weight_decay=0.01)
        (values,) = self.optimizer.param_groups[0]["params"]
        scale = 10.0 ** torch.linspace(-1, 1, COUNT)
        for _ in range(seen + 1):
            retain = torch.randn(COUNT) * scale
            gradient = self.rule.combine(torch.randn(COUNT) * scale, retain, self.optimizer)
            before, values.grad = values.clone(), gradient * sign
            self.optimizer.step()
            self.step = values - before
            kept = [*self.rule._history.rows, retain]
            self.rule.correct(before, values, self.optimizer)
        self.retains = torch.stack([row.double() for row in kept])  # [constraints, weights]
        self.corrected = (values - before).double()
        state = self.optimizer.state[values]
        corrected = state["exp_avg_sq"].double() / (1 - 0.999 ** int(state["step"]))
        self.weight = corrected.sqrt() + 1e-8  # Adam's metric


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("seen", [0, 3, 8, 11])
def test_the_corrected_step_is_the_nearest_that_no_protected_gradient_follows(seed, seen):
    it = Stepped(seed, seen)
    rows, step, weight = (part.double().numpy() for part in (it.retains, it.step, it.weight))
    assert len(rows) == min(seen, 8) + 1
    # ‖d' - d‖ is the distance to the cone: by Moreau, d' - d = -√P A λ with nonnegative λ.
    root = np.sqrt(weight)
    pull, _ = nnls((rows / root).T, root * step)
    np.testing.assert_allclose(it.corrected, step - (pull @ rows) / weight, atol=2e-6)
    solved = minimize(
        lambda x: 0.5 * np.sum(weight * (x - step) ** 2),
        it.corrected.numpy(),
        jac=lambda x: weight * (x - step),
        constraints={"type": "ineq", "fun": lambda x: -rows @ x, "jac": lambda x: -rows},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    np.testing.assert_allclose(it.corrected, solved.x, atol=1e-4)
    assert (rows @ it.corrected.numpy()).max() <= 1e-5 * np.abs(rows @ step).max()


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("rank", [2, 9])
def test_the_multipliers_fulfil_the_optimality_conditions_even_of_dependent_rows(seed, rank):
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(rank, 30, generator=generator, dtype=torch.float64)
    rows = torch.cat([rows, rows, rows])[:9]
    inner = rows @ torch.randn(30, generator=generator, dtype=torch.float64)
    gram = rows @ rows.T
    pull = multipliers(gram, inner)
    rising = inner - gram @ pull
    assert pull.min() >= 0
    assert rising.max() < 1e-8
    assert (pull * rising).abs().max() < 1e-8
    assert pull.any() == (inner > 0).any()


def test_a_step_inside_the_cone_is_left_exactly_as_it_was():
    inside = torch.tensor([-1.0, 0.0, -3.0], dtype=torch.float64)
    assert not multipliers(torch.eye(3, dtype=torch.float64), inside).any()
    rule, retain = Cone(8), torch.ones(COUNT)
    values = torch.randn(COUNT)
    optimizer = torch.optim.AdamW([values], lr=0.1, weight_decay=0.0)
    values.grad, before = rule.combine(torch.zeros(COUNT), retain, optimizer), values.clone()
    optimizer.step()
    after = values.clone()
    rule.correct(before, values, optimizer)
    assert torch.equal(values, after)


def test_a_step_that_only_undoes_the_retain_set_is_cancelled():
    rule, retain = Cone(8), torch.arange(1.0, COUNT + 1)
    values = torch.randn(COUNT)
    optimizer = torch.optim.AdamW([values], lr=0.1, weight_decay=0.0)
    values.grad, before = rule.combine(-2 * retain, retain, optimizer), values.clone()
    optimizer.step()  # up the retain loss, by 0.1 at every weight
    rule.correct(before, values, optimizer)
    moved = (values - before).double()
    assert abs(retain.double() @ moved) < 1e-5
    # In Adam's metric, ε aside, P r is one and the same for all: the whole step goes.
    torch.testing.assert_close(moved, torch.zeros(COUNT).double(), atol=1e-6, rtol=0)


def test_a_gradient_of_zeros_protects_nothing():
    gram = torch.diag(torch.tensor([0.0, 2.0], dtype=torch.float64))
    pull = multipliers(gram, torch.tensor([0.0, 1.0], dtype=torch.float64))
    assert pull.tolist() == [0.0, 0.5]
