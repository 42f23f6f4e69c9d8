"""The retain loss, its gradients and Hessian products against direct computation."""

import pytest
import torch

from mansu.models.swap import swapped
from mansu.theory import RetainLoss
from mansu.theory.retain_loss import BATCH_ROWS, inner


def moved(model, direction, step):
    """The named weights, moved along a direction."""
    return {n: model.module.get_parameter(n).data + step * d for n, d in direction.items()}


def mean_loss(loss, model, direction, step):
    with swapped(model.module, moved(model, direction, step)):
        return loss.losses().mean().item()


def test_an_example_s_loss_is_its_mean_answer_loss(model, examples, names):
    found = RetainLoss(model, examples, names(model)).losses()
    for example, value in zip(examples, found, strict=True):
        tokens = torch.tensor([example.tokens])
        log_probs = model.module(tokens).logits[0].log_softmax(-1)
        spots = range(example.answer_start, len(example.tokens))
        expected = -sum(log_probs[i - 1, example.tokens[i]] for i in spots) / len(spots)
        assert value.item() == pytest.approx(expected.item(), rel=1e-10)


def test_the_gradients_are_the_slopes_of_each_example_s_loss(model, examples, names, direction):
    loss = RetainLoss(model, examples, names(model))
    along = direction(model, loss.names)
    slopes = [inner(along, gradient) for gradient in loss.gradients()]
    step = 1e-6
    sides = []
    for sign in (1, -1):
        with swapped(model.module, moved(model, along, sign * step)):
            sides.append(loss.losses())
    expected = (sides[0] - sides[1]) / (2 * step)
    assert slopes == pytest.approx(expected.tolist(), rel=1e-5, abs=1e-5)


def test_a_hessian_product_is_the_change_of_the_gradient(model, examples, names, direction):
    loss = RetainLoss(model, examples, names(model))
    along, probe = direction(model, loss.names), direction(model, loss.names, seed=2)
    product = loss.hessian_vector(along)
    step = 1e-6
    sides = []
    for sign in (1, -1):
        with swapped(model.module, moved(model, along, sign * step)):
            sides.append(sum(inner(probe, g) for g in loss.gradients()) / len(examples))
    assert inner(probe, product) == pytest.approx((sides[0] - sides[1]) / (2 * step), rel=1e-4)


def test_the_second_order_model_of_the_loss_fits_to_third_order(llama, examples, names, direction):
    loss = RetainLoss(llama, examples, names(llama))
    along = direction(llama, loss.names)
    slope = sum(inner(along, g) for g in loss.gradients()) / len(examples)
    curvature = inner(along, loss.hessian_vector(along))
    base = loss.losses().mean().item()
    errors = [
        mean_loss(loss, llama, along, step) - base - step * slope - 0.5 * step**2 * curvature
        for step in (2e-3, 1e-3)
    ]
    assert errors[0] / errors[1] == pytest.approx(8, rel=0.2)


def test_a_product_does_not_depend_on_the_batches(llama, examples, names, direction):
    many = examples * 3
    assert len(many) > BATCH_ROWS
    along = direction(llama, names(llama))
    one = RetainLoss(llama, examples, names(llama)).hessian_vector(along)
    three = RetainLoss(llama, many, names(llama)).hessian_vector(along)
    for name, product in one.items():
        torch.testing.assert_close(product, three[name])


def test_a_product_is_added_in_place_to_what_it_is_given(llama, examples, names, direction):
    loss = RetainLoss(llama, examples, names(llama))
    along, onto = direction(llama, loss.names), direction(llama, loss.names, seed=2)
    expected = {n: onto[n] + product for n, product in loss.hessian_vector(along).items()}
    found = loss.hessian_vector(along, onto)
    for name, product in found.items():
        torch.testing.assert_close(product, expected[name])
        assert product.data_ptr() == onto[name].data_ptr()


def test_the_model_is_left_as_it_was(llama, examples, names, direction):
    before = {name: tensor.clone() for name, tensor in llama.module.state_dict().items()}
    loss = RetainLoss(llama, examples, names(llama))
    loss.hessian_vector(direction(llama, loss.names))
    list(loss.gradients())
    assert not any(p.requires_grad or p.grad is not None for p in llama.module.parameters())
    for name, tensor in llama.module.state_dict().items():
        assert torch.equal(tensor, before[name])
