"""SURE's mask: the percentile of all rows together, of the gradient at θ₀, worked out by hand."""

from dataclasses import replace

import pytest
import torch

from mansu.quant.codebook import NF4
from mansu.unlearn.contrast import Contrast, objective_of
from mansu.unlearn.salient import _spread, choose_rows, forget_gradient, salient_rows
from mansu.unlearn.task import Task


def rows_of(*lengths: float, columns: int = 4) -> torch.Tensor:
    """A gradient whose rows have these lengths."""
    return torch.tensor(lengths)[:, None] * torch.full((1, columns), columns**-0.5)


def test_the_percentile_is_taken_over_the_rows_of_all_matrices_together():
    gradients = {"a": rows_of(1, 9, 2, 8, 3), "b": rows_of(4, 10, 5, 6, 7, columns=2)}
    found = choose_rows(gradients, 80)  # the two longest of ten rows: of lengths 9 and 10
    assert found.index["a"].tolist() == [4, 5, 6, 7]
    assert found.index["b"].tolist() == [2, 3]
    assert found.count == 6


def test_a_matrix_whose_rows_are_all_short_does_not_move():
    found = choose_rows({"a": rows_of(1, 2, 3), "b": rows_of(10, 20, 30)}, 50)
    assert found.sizes == {"a": 0, "b": 12}


def test_at_percentile_zero_every_weight_moves():
    gradients = {"a": rows_of(1, 2), "b": rows_of(3.0)}
    assert choose_rows(gradients, 0).count == 12


def test_the_examples_are_spread_evenly_and_no_more_than_there_are():
    assert _spread(10, 4) == [0, 2, 5, 7]
    assert _spread(3, 128) == [0, 1, 2]


@pytest.fixture(scope="module")
def task(tiny, parts) -> Task:
    nobody = lambda: pytest.fail("nobody asks for it")  # noqa: E731
    return Task(
        model=tiny,
        seed=0,
        forget=parts.forget,
        retain=parts.retain,
        weights=parts.weights,
        codebooks=(NF4,),
        through=False,
        diary=nobody,  # pyright: ignore
        find_fisher=nobody,
        find_prior=nobody,
    )


def test_the_gradient_is_that_of_the_mean_over_all_examples_in_however_many_batches(
    task, tiny, monkeypatch
):
    ascent = objective_of(Contrast(forget_loss="gradient_ascent"))
    examples = list(range(7))
    monkeypatch.setattr("mansu.models.batch.BATCH_ROWS", 3)
    found = forget_gradient(task, ascent, examples)
    leaves = {name: tiny.module.get_parameter(name) for name in task.weights}
    try:
        for leaf in leaves.values():
            leaf.requires_grad_()
        total = torch.zeros(())
        for example in (task.forget[i] for i in examples):
            tokens = torch.tensor([example.tokens])
            said = tiny.module(tokens).logits[0].log_softmax(-1)[example.answer_start - 1 : -1]
            total = total + said.gather(1, tokens[0, example.answer_start :, None]).mean()
        expected = torch.autograd.grad(total / len(examples), [*leaves.values()])
    finally:
        for leaf in leaves.values():
            leaf.requires_grad_(False)
    for name, gradient in zip(leaves, expected, strict=True):
        torch.testing.assert_close(found[name], gradient, rtol=1e-3, atol=1e-6)


def test_the_mask_does_not_look_at_the_retain_set(task):
    objective = objective_of(Contrast())
    found = salient_rows(task, objective, 90, 8)
    other = salient_rows(replace(task, retain=()), objective, 90, 8)
    assert all(torch.equal(found.index[name], other.index[name]) for name in found.index)
    rows = sum(weight.shape[0] for weight in task.weights.values())
    chosen = [len(i) // task.weights[n].shape[1] for n, i in found.index.items()]
    assert sum(chosen) == pytest.approx(rows / 10, abs=1)
