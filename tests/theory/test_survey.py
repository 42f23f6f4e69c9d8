"""The pass over the gradients, and Proposition 3, against brute force."""

import pytest
import torch

from mansu.theory import RetainLoss, draw_sample, survey
from mansu.theory.off_diagonal import FisherForms, fisher_block
from mansu.theory.retain_loss import inner


def flat(vector) -> torch.Tensor:
    return torch.cat([tensor.flatten() for tensor in vector.values()])


def whole(model, examples) -> RetainLoss:
    return RetainLoss(model, examples, list(model.family.linear_weight_names(model.module)))


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_everything_the_pass_tells_is_what_all_gradients_at_once_tell(
    model, examples, names, direction
):
    loss, circuit = whole(model, examples), names(model)
    weights = {name: model.module.get_parameter(name).data for name in loss.names}
    delta = direction(model, circuit)
    some = {circuit[0]: torch.tensor([3, 5]), circuit[4]: torch.tensor([0])}
    sets = {"all": dict.fromkeys(loss.names), "circuit": dict.fromkeys(circuit), "some": some}
    sample = draw_sample(sets["circuit"], weights, 6, generator())
    found = survey(loss, sets, {"update": delta}, sample, generator())

    gradients = list(loss.gradients())
    every = torch.stack([flat(g) for g in gradients])  # [examples, weights]
    torch.testing.assert_close(flat(loss.gradient()), every.mean(0))
    inside = torch.stack([flat({n: g[n] for n in circuit}) for g in gradients])
    assert found.fisher["all"] == pytest.approx(every.square().mean().item())
    assert found.fisher["circuit"] == pytest.approx(inside.square().mean().item())
    picked = torch.stack(
        [torch.cat([g[name].flatten()[index] for name, index in some.items()]) for g in gradients]
    )
    assert found.fisher["some"] == pytest.approx(picked.square().mean().item())
    assert found.slopes["update"] == pytest.approx(inner(delta, loss.gradient()))

    step = flat(delta)
    matrix = inside.T @ inside / len(examples)  # F over the circuit, [weights, weights]
    assert found.forms["update"].full == pytest.approx((step @ matrix @ step).item())
    diagonal = (matrix.diagonal() * step.square()).sum().item()
    assert found.forms["update"].diagonal == pytest.approx(diagonal)

    entries = torch.stack(
        [torch.cat([g[n].flatten()[index] for n, index in sample.items()]) for g in gradients]
    )
    block = entries.T @ entries / len(examples)
    assert found.block.diagonal == pytest.approx(block.diagonal().norm().item())
    off = block - block.diagonal().diag()
    assert found.block.off_diagonal == pytest.approx(off.norm().item())


def test_a_sample_is_drawn_from_the_set_and_holds_no_weight_twice():
    weights = {"a": torch.zeros(5, 4), "b": torch.zeros(30)}
    index = {"a": torch.arange(0, 20, 2), "b": None}
    for count in (7, 40, 100):
        drawn = draw_sample(index, weights, count, generator())
        assert sum(part.numel() for part in drawn.values()) == min(count, 40)
        assert set(drawn["a"].tolist()) <= set(range(0, 20, 2))
        assert all(part.unique().numel() == part.numel() for part in drawn.values())
        assert drawn["b"].max() < 30


def test_weights_that_never_act_together_have_no_off_diagonal():
    found = fisher_block(torch.eye(6), generator())
    assert (found.off_diagonal, found.weights, found.examples) == (0, 6, 6)
    assert found.ratio == 0


def test_weights_that_always_act_together_have_as_much_as_there_can_be():
    gradients = torch.randn(40, 1, generator=generator()).expand(40, 8)
    found = fisher_block(gradients, generator())
    assert found.ratio == pytest.approx((8 * 7) ** 0.5 / 8**0.5)
    assert found.chance < 0.7 * found.ratio


def test_unrelated_weights_reach_the_shuffled_ratio_and_no_more():
    drawn = torch.randn(24, 256, generator=torch.Generator().manual_seed(1))
    found = fisher_block(drawn, generator())
    assert found.ratio == pytest.approx(found.chance, rel=0.03)
    assert found.ratio > 2  # few examples alone make an off-diagonal


def test_gradients_of_zero_have_no_ratio():
    found = fisher_block(torch.zeros(4, 3), generator())
    assert (found.ratio, found.chance) == (None, None)
    assert FisherForms(0.0, 0.0).ratio is None
