"""GU's projection against a dense least-squares solve, and what it remembers."""

import pytest
import torch

from mansu.unlearn.objectives import simnpo
from mansu.unlearn.rules import history
from mansu.unlearn.rules.projection import Projection

COUNT = 50


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    """Chunks that the vectors do not end with."""
    monkeypatch.setattr(history, "CHUNK", 7)


def stepped(steps: int, seed: int = 0) -> torch.optim.Optimizer:
    """AdamW after some steps down gradients whose sizes differ widely from weight to weight."""
    torch.manual_seed(seed)
    optimizer = torch.optim.AdamW([torch.randn(COUNT)], lr=0.1, weight_decay=0.0)
    (values,) = optimizer.param_groups[0]["params"]
    for _ in range(steps):
        values.grad = torch.randn(COUNT) * 10.0 ** torch.linspace(-3, 1, COUNT)
        optimizer.step()
    return optimizer


def whitening(optimizer: torch.optim.Optimizer) -> torch.Tensor:
    """P by the definition, float64."""
    (values,) = optimizer.param_groups[0]["params"]
    if not optimizer.state:
        return torch.ones(COUNT, dtype=torch.float64)
    state = optimizer.state[values]
    corrected = state["exp_avg_sq"].double() / (1 - 0.999 ** int(state["step"]))
    return 1 / (corrected.sqrt() + 1e-8)


@pytest.mark.parametrize("steps", [0, 3])
@pytest.mark.parametrize("size", [1, 4])
def test_the_projection_is_the_residual_of_a_dense_least_squares_fit(steps, size):
    optimizer, rule = stepped(steps), Projection(size)
    retains = torch.randn(6, COUNT)
    for retain in retains[:-1]:
        rule.combine(torch.randn(COUNT), retain, optimizer)
    forget = torch.randn(COUNT)
    found = rule.combine(forget.clone(), retains[-1], optimizer).double() - retains[-1].double()

    root = whitening(optimizer).sqrt()
    kept = root[:, None] * retains[-size:].bfloat16().double().T  # [weights, size]
    whitened = root * forget.double()
    away = whitened - kept @ torch.linalg.lstsq(kept, whitened[:, None]).solution[:, 0]
    torch.testing.assert_close(found, away / root, rtol=1e-4, atol=1e-5)
    basis = torch.linalg.qr(kept).Q
    assert (basis.T @ (root * found)).abs().max() < 1e-4 * whitened.norm()


def test_a_direction_that_only_repeats_another_is_taken_once():
    optimizer, rule = stepped(2), Projection(3)
    retain, forget = torch.randn(COUNT), torch.randn(COUNT)
    once = Projection(3).combine(forget.clone(), retain, optimizer)
    for _ in range(3):
        found = rule.combine(forget.clone(), retain, optimizer)
    torch.testing.assert_close(found, once, rtol=1e-3, atol=1e-4)


def test_without_any_retain_gradient_the_forget_gradient_stays_as_it_is():
    forget = torch.randn(COUNT)
    assert torch.equal(
        Projection(2).combine(forget.clone(), torch.zeros(COUNT), stepped(0)), forget
    )


def test_the_oldest_gradient_leaves_first_and_all_lie_in_bfloat16():
    kept, rows = history.History(2), [torch.full((3,), float(n)) for n in range(4)]
    for row in rows:
        kept.add(row)
    assert [row[0].item() for row in kept.rows] == [2, 3]
    assert {row.dtype for row in kept.rows} == {torch.bfloat16}
    again = history.History(2)
    again.resume({"something else": rows[0], **dict(reversed(kept.remembered().items()))})
    assert all(torch.equal(a, b) for a, b in zip(again.rows, kept.rows, strict=True))


def test_simnpo_s_gamma_shifts_the_reward_inside_beta(one_said):
    nll, beta, gamma = 1.5, 2.5, 0.75  # -(2/β) log σ(β (NLL/|y| - γ))
    published = -(2 / beta) * torch.sigmoid(torch.tensor(beta * (nll - gamma))).log()
    assert simnpo(one_said(-nll), beta, gamma).item() == pytest.approx(published.item())
