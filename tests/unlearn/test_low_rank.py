"""LoRA's factors against autograd on the dense formula, and the refusal of a rank too high."""

import pytest
import torch

from mansu.cli import main
from mansu.models import load_model
from mansu.unlearn.low_rank import LowRankLatents

SHAPES = {"x.layers.0.a.weight": (5, 3), "x.layers.1.b.weight": (2, 6)}
RANK, SCALE = 2, 1.5


@pytest.fixture
def originals() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {name: torch.randn(shape) for name, shape in SHAPES.items()}


@pytest.fixture
def stirred(originals) -> LowRankLatents:
    latents = LowRankLatents(originals, RANK, SCALE, seed=3)
    latents.values += torch.randn_like(latents.values)
    latents.write()
    return latents


def dense(
    latents: LowRankLatents, originals: dict[str, torch.Tensor], factors: torch.Tensor
) -> dict[str, torch.Tensor]:
    """W + s·BA by the formula, of one vector that holds A, then B, of each matrix."""
    merged, start = {}, 0
    for name, (rows, columns) in SHAPES.items():
        a = factors[start : start + RANK * columns].view(RANK, columns)
        start += RANK * columns
        b = factors[start : start + rows * RANK].view(rows, RANK)
        start += rows * RANK
        merged[name] = originals[name] + SCALE * (b @ a)
    assert start == latents.values.numel()
    return merged


def test_the_matrices_that_are_run_and_kept_are_the_merged_ones(stirred, originals):
    kept = stirred.update(stirred.values)
    for name, matrix in dense(stirred, originals, stirred.values).items():
        torch.testing.assert_close(stirred.weights["fp"][name].detach(), matrix)
        torch.testing.assert_close(kept[name], matrix)


def test_a_matrix_s_gradient_reaches_the_factors_as_autograd_takes_it_there(stirred, originals):
    def loss(weights):
        return sum((matrix**3).sum() * (n + 1) for n, matrix in enumerate(weights.values()))

    found = stirred.gradient(loss(stirred.weights["fp"]), "fp")
    factors = stirred.values.clone().requires_grad_()
    loss(dense(stirred, originals, factors)).backward()  # pyright: ignore
    torch.testing.assert_close(found, factors.grad, rtol=1e-4, atol=1e-4)


def test_at_first_nothing_has_changed_and_the_factors_are_the_seed_s(originals):
    latents = LowRankLatents(originals, RANK, SCALE, seed=3)
    latents.write()
    for name, matrix in latents.update(latents.original).items():
        assert torch.equal(matrix, originals[name])
        assert torch.equal(latents.weights["fp"][name].detach(), originals[name])
    a, b = latents.values[: RANK * 3], latents.values[RANK * 3 : RANK * 8]
    assert 0 < a.abs().max() <= 3**-0.5
    assert not b.any()
    again, other = (LowRankLatents(originals, RANK, SCALE, seed) for seed in (3, 4))
    assert torch.equal(again.values, latents.values)
    assert not torch.equal(other.values, latents.values)


def test_the_originals_are_never_written_to(stirred, originals):
    torch.manual_seed(0)
    for name, shape in SHAPES.items():
        assert torch.equal(originals[name], torch.randn(shape))


def test_a_rank_above_the_width_ends_with_one_sentence_before_anything_is_trained(capsys, tmp_path):
    width = load_model("tiny-llama").config.hidden_size
    asked = [
        "run",
        "--model",
        "tiny-llama",
        "--top-k",
        "1",
        "--method",
        "lora",
        f"--out={tmp_path}",
    ]
    assert main([*asked, f"--rank={width + 1}"]) == 2
    told = capsys.readouterr().err.strip().splitlines()
    assert told == [
        f"mansu: rank: the model is {width} wide, so adapters cannot have rank {width + 1}; "
        "lower rank."
    ]
    assert not [*tmp_path.iterdir()]
