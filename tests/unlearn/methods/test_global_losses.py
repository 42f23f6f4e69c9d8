"""The losses of methods that descend over answers, by hand: each example alone, no padding."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch

from mansu.models.names import layer_of
from mansu.unlearn.descent import Drawn
from mansu.unlearn.methods import graddiff, npo_mean, simnpo, surgical_ga
from mansu.unlearn.methods.base import counterpart

ONE: dict[str, Any] = {"steps": 1, "forget_batch": 3, "validate_every": 1}


def drawn(task, settings):
    forget, retain = Drawn(task, settings).at(0)
    return [task.forget[i] for i in forget], [task.retain[i] for i in retain]


def mean(say: Callable[..., torch.Tensor], model, examples: Sequence[Any]) -> torch.Tensor:
    """Of the examples, each with the mean log-probability of its answer's tokens."""
    return torch.stack([say(model, example).mean() for example in examples]).mean()


def softplus(value):
    return math.log1p(math.exp(value))


@pytest.mark.parametrize("kind", ["ce", "kl"])
def test_gradient_difference_ascends_on_the_forget_set_and_holds_the_retain_set(
    tiny, make_task, say, kind
):
    settings = graddiff.Settings(**ONE, retain_batch=5, retain_loss=kind)
    task = make_task(tiny, "graddiff", settings)
    record = graddiff.METHOD.unlearn(task, settings).history[0]
    forget, retain = drawn(task, settings)
    with torch.no_grad():
        asked = mean(say, tiny, forget)
        kept = -mean(say, tiny, retain)
    assert record.forget == pytest.approx(asked.item(), abs=1e-4)
    # Before the first step the model is θ₀, and its KL from θ₀ is nothing.
    assert record.retain == pytest.approx(kept.item() if kind == "ce" else 0.0, abs=1e-4)


def test_the_kl_variant_compares_with_the_original_and_not_with_the_model_in_training(
    tiny, make_task
):
    settings = graddiff.Settings(
        **{**ONE, "steps": 3}, retain_batch=5, retain_loss="kl", learning_rate=1e-2
    )
    history = graddiff.METHOD.unlearn(make_task(tiny, "graddiff", settings), settings).history
    assert history[2].retain > 0.01 > abs(history[0].retain)


def test_the_mean_form_of_npo_is_over_mean_log_probabilities_beside_cross_entropy(
    tiny, make_task, say
):
    settings = npo_mean.Settings(**{**ONE, "steps": 2}, retain_batch=5, learning_rate=1e-9)
    task = make_task(tiny, "npo-mean", settings)
    record = npo_mean.METHOD.unlearn(task, settings).history[0]
    _, retain = drawn(task, settings)
    with torch.no_grad():
        kept = -mean(say, tiny, retain)
    assert record.forget == pytest.approx(2 / 0.0225 * math.log(2), abs=1e-3)  # θ is θ₀
    assert record.retain == pytest.approx(kept.item(), abs=1e-4)


def test_the_mean_form_of_npo_pulls_as_much_on_a_long_answer_as_on_a_short_one(tiny, make_task):
    """At θ₀ its gradient is that of the mean log-probability, where NPO's is that of the sum."""
    ascent = surgical_ga.Settings(**ONE)
    settings = npo_mean.Settings(**ONE, retain_weight=0.0)
    task = make_task(tiny, "npo-mean", settings)
    norms = [
        method.unlearn(task, own).history[0].gradient_norm
        for method, own in ((npo_mean.METHOD, settings), (surgical_ga.METHOD, ascent))
    ]
    assert norms[0] == pytest.approx(norms[1], rel=1e-4)


@pytest.mark.parametrize("gamma", [0.0, 1.5])
def test_simnpo_is_the_published_form_weighed(tiny, make_task, say, gamma):
    settings = simnpo.Settings(**ONE, retain_batch=5, gamma=gamma, beta=2.5, forget_weight=0.1375)
    task = make_task(tiny, "simnpo", settings)
    record = simnpo.METHOD.unlearn(task, settings).history[0]
    forget, retain = drawn(task, settings)
    with torch.no_grad():
        losses = [-say(tiny, e).mean().item() for e in forget]
        kept = -mean(say, tiny, retain)
    # -(2/β) log σ(β (NLL - γ)), w 0.1375, β 2.5
    each = [2 / 2.5 * softplus(-2.5 * (nll - gamma)) for nll in losses]
    assert record.forget == pytest.approx(0.1375 * sum(each) / 3, abs=1e-4)
    assert record.retain == pytest.approx(kept.item(), abs=1e-4)


@pytest.mark.parametrize(
    ("layers", "expected"),
    [(32, [14, 15, 16]), (30, [13, 14, 15]), (4, [1, 2]), (1, [0]), (18, [8, 9])],
)
def test_surgical_ascent_trains_the_blocks_in_the_middle_whatever_the_depth(layers, expected):
    assert list(surgical_ga.blocks(layers)) == expected


def test_every_block_has_a_counterpart_and_itself_where_the_depths_agree():
    assert [counterpart(n, 32, 32) for n in range(32)] == [*range(32)]
    for layers in range(1, 80):
        found = [counterpart(n, 32, layers) for n in range(32)]
        assert found == sorted(found)
        assert set(found) <= set(range(layers))


def test_surgical_ascent_trains_the_output_matrices_of_every_family_by_name(each_tiny):
    names = surgical_ga.SCOPE.names(each_tiny, ())
    assert [layer_of(name) for name in names] == [1, 2]
    for name in names:
        block = each_tiny.family.blocks(each_tiny.module)[layer_of(name)]
        assert each_tiny.module.get_parameter(name) is block.mlp.down_proj.weight


def test_surgical_ascent_s_first_step_is_adam_s_on_the_gradient_of_the_log_probability(
    tiny, make_task, say
):
    settings = surgical_ga.Settings(**ONE, learning_rate=1e-3)
    task = make_task(tiny, "surgical-ga", settings)
    update = surgical_ga.METHOD.unlearn(task, settings)
    forget, _ = drawn(task, settings)
    weights = [tiny.module.get_parameter(name) for name in task.weights]
    for weight in weights:
        weight.requires_grad_(True)
    try:
        loss = mean(say, tiny, forget)
        gradients = torch.autograd.grad(loss, weights)
    finally:
        for weight in weights:
            weight.requires_grad_(False)
    norm = math.sqrt(sum(g.square().sum().item() for g in gradients))
    assert update.history[0].gradient_norm == pytest.approx(norm, rel=1e-4)
    for name, gradient in zip(task.weights, gradients, strict=True):
        clipped = gradient * min(1.0, 1.0 / norm)
        # Down log p; the first step's moments are the gradient and its square.
        expected = task.weights[name] - 1e-3 * clipped / (clipped.abs() + 1e-8)
        found, clear = update.values[name].view_as(gradient), clipped.abs() > 1e-5
        assert clear.float().mean() > 0.25
        torch.testing.assert_close(found[clear], expected[clear], atol=2e-6, rtol=1e-4)


def test_without_a_weight_no_retain_example_is_run(tiny, make_task):
    settings = simnpo.Settings(**ONE, retain_weight=0.0)
    task = make_task(tiny, "simnpo", settings)
    lost = replace(task, retain=[None] * len(task.retain))
    assert simnpo.METHOD.unlearn(lost, settings).history[0].retain == 0.0


@pytest.mark.parametrize("method", [graddiff, npo_mean])
def test_a_retain_loss_without_a_weight_is_idle(method):
    settings = method.Settings(retain_weight=0.0, retain_loss="kl")
    assert set(method.METHOD.idle(settings, "none")) == {"retain_batch", "retain_loss"}
    assert method.METHOD.idle(method.Settings(), "none") == {}
