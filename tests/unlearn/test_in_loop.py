import torch

from mansu.quant import account
from mansu.quant.codebook import NF4
from mansu.unlearn.in_loop import InLoopLatents


def stirred(parts, scale: float) -> InLoopLatents:
    latents = InLoopLatents(parts.weights, parts.movable, NF4)
    torch.manual_seed(0)
    latents.values += scale * torch.randn_like(latents.values)
    latents.clamp()
    latents.write()
    return latents


def test_every_changed_weight_survives_and_nothing_else_changes_code(parts):
    latents = stirred(parts, 0.3)
    total = account(
        parts.weights, {n: w.detach() for n, w in latents.weights["fp"].items()}, NF4
    ).total
    assert total.changed > 100
    assert total.survived == total.changed
    assert total.collateral == total.moved_blocks == 0


def test_the_nf4_matrices_are_the_quantized_form_of_the_full_precision_ones(parts):
    latents = stirred(parts, 0.3)
    for name, weight in latents.weights["fp"].items():
        quantized = NF4.dequantize(NF4.quantize(weight.detach()))
        assert torch.equal(latents.weights["nf4"][name].detach(), quantized)


def test_a_latent_that_stays_in_its_bin_changes_nothing(parts):
    latents = stirred(parts, 1e-9)
    for name, weight in parts.weights.items():
        assert torch.equal(latents.weights["fp"][name].detach(), weight)


def test_weights_that_may_not_move_keep_their_value(parts):
    latents = stirred(parts, 10.0)
    for name, weight in parts.weights.items():
        still = torch.ones(weight.numel(), dtype=torch.bool)
        still[parts.movable.index[name]] = False
        moved = latents.weights["fp"][name].detach().flatten()
        assert torch.equal(moved[still], weight.flatten()[still])
