"""A floor for several codebooks at once: what it lets change is another weight in each of them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mansu.quant.codebook import FP4, NF4, block_absmax
from mansu.quant.permanence import account
from mansu.unlearn.floor import apply_floor, boundary, in_loop, movable
from mansu.unlearn.in_loop import InLoopLatents
from mansu.unlearn.straight_through import StraightThroughLatents
from tests.quant.blocks import DTYPES
from tests.unlearn.test_floor import EXACT, KINDS, SETTINGS, draw_pair

BOTH = st.sampled_from([(NF4, FP4), (FP4, NF4)])


def gaussian(scale: float) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    original = torch.randn(64, 128, generator=generator)
    return original, original + scale * torch.randn(original.shape, generator=generator)


@SETTINGS
@given(st.data(), EXACT, BOTH, st.sampled_from(DTYPES))
def test_every_changed_weight_survives_in_each_and_nothing_else_moves(data, form, books, dtype):
    first, second = books
    original, updated = draw_pair(data, first, dtype)
    floored = form(original, updated, first, second).weight
    changed = floored != original
    for book in books:
        assert torch.equal(changed, book.codes(floored) != book.codes(original))
    assert torch.equal(block_absmax(floored), block_absmax(original))
    assert not (changed & (updated == original.float())).any()


@settings(max_examples=50, deadline=None)
@given(st.data(), st.sampled_from(KINDS), BOTH, st.sampled_from(DTYPES))
def test_a_codebook_named_twice_changes_nothing(data, kind, books, dtype):
    original, updated = draw_pair(data, books[0], dtype)
    once = apply_floor(kind, original, updated, books[0])
    twice = apply_floor(kind, original, updated, books[0], books[0])
    assert torch.equal(once.weight, twice.weight)
    assert (once.excluded, once.pinned) == (twice.excluded, twice.pinned)


@pytest.mark.parametrize("kind", ["boundary", "in_loop"])
def test_surviving_in_both_takes_larger_changes_of_fewer_weights(kind):
    original, updated = gaussian(0.01 if kind != "in_loop" else 0.5)
    alone = apply_floor(kind, original, updated, NF4).weight
    both = apply_floor(kind, original, updated, NF4, FP4)
    changed = both.weight != original
    assert not (changed & (alone == original)).any()
    assert changed.sum() < (alone != original).sum()
    moved = (both.weight - original).abs()[changed]
    least = (alone - original).abs()[changed]
    assert (moved >= least - 1e-6).all()
    assert (moved > least + 1e-6).float().mean() > 0.1
    assert both.excluded > 0


def test_the_published_floor_takes_the_widest_of_the_bins():
    original, updated = gaussian(1e-4)
    floored = apply_floor("paper", original, updated, NF4, FP4).weight
    width = NF4.bin_widths(original).maximum(FP4.bin_widths(original))
    lifted = (floored - original).abs()
    whole = lifted > 0.01  # the others are outermost, and stay as trained
    torch.testing.assert_close(lifted[whole], width[whole], rtol=1e-4, atol=1e-6)
    assert whole.float().mean() > 0.9


def test_a_snapped_weight_takes_the_first_ones_level_where_that_survives():
    original, latent = gaussian(0.5)
    alone, both = in_loop(original, latent, NF4).weight, in_loop(original, latent, NF4, FP4)
    survives = (alone != original) & (FP4.codes(alone) != FP4.codes(original)).view(64, 128)
    held = FP4.codes(original).view(64, 128)
    inner = (held > 0) & (held < FP4.size - 1)
    level = alone == both.weight
    assert level[survives & inner].float().mean() > 0.95  # but for those short of the margin
    assert survives.any()


def test_only_weights_whose_blocks_every_codebook_resolves_may_move():
    scale = NF4.smallest_scale(torch.float32)
    weight = torch.linspace(-1, 1, 64) * 2 * scale
    assert movable(weight, NF4).any()
    assert not movable(weight, NF4, FP4).any()


def stirred(parts, others=()) -> InLoopLatents:
    latents = InLoopLatents(parts.weights, parts.movable, NF4, *others)
    torch.manual_seed(0)
    latents.values += 0.3 * torch.randn_like(latents.values)
    latents.clamp()
    latents.write()
    return latents


def test_training_through_one_quantizer_is_bit_for_bit_training_through_it_twice(parts):
    once, twice = stirred(parts, []), stirred(parts, [NF4])
    for name, weight in once.weights["fp"].items():
        assert torch.equal(twice.weights["fp"][name], weight)
        assert torch.equal(twice.weights["nf4"][name], once.weights["nf4"][name])


def test_training_through_both_keeps_every_change_in_both(parts):
    latents = stirred(parts, [FP4])
    assert latents.precisions == ("fp", "nf4", "fp4")
    after = {name: weight.detach() for name, weight in latents.weights["fp"].items()}
    for book in (NF4, FP4):
        total = account(parts.weights, after, book).total
        assert total.changed > 100
        assert (total.survival, total.collateral, total.moved_blocks) == (1.0, 0, 0)
        for name, weight in after.items():
            assert torch.equal(latents.weights[book.name][name], book.dequantized(weight))


def test_the_trained_weights_are_what_the_floor_makes_of_the_latents(parts):
    latents = stirred(parts, [FP4])
    for name, values in latents.update(latents.values).items():
        latent = parts.weights[name].clone()
        latent.view(-1)[parts.movable.index[name]] = values
        floored = in_loop(parts.weights[name], latent, NF4, FP4).weight
        assert torch.equal(latents.weights["fp"][name].detach(), floored)


def test_straight_through_latents_are_run_in_every_format(parts):
    latents = StraightThroughLatents(parts.weights, NF4, FP4)
    assert latents.precisions == ("nf4", "fp4")
    for book in (NF4, FP4):
        for name, weight in parts.weights.items():
            assert torch.equal(latents.weights[book.name][name], book.dequantized(weight))


def test_a_margin_holds_between_the_boundaries_of_both():
    weight = torch.cat([torch.ones(1), torch.linspace(-0.8, 0.8, 63)])
    floored = boundary(weight, weight + 1e-6, NF4, FP4, dtype=torch.bfloat16).weight
    stored = weight.to(torch.bfloat16)
    for book in (NF4, FP4):
        assert torch.equal(book.codes(floored) != book.codes(stored), floored != stored)
