import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor

from mansu.errors import InputError, RunError
from mansu.quant.codebook import BLOCK, NF4, Codebook, block_absmax, per_weight
from mansu.unlearn import floor
from mansu.unlearn.floor import (
    FloorKind,
    apply_floor,
    boundary,
    in_loop,
    movable,
    paper,
    snap,
)
from tests.quant.blocks import BOOKS, DTYPES, draw_weights

SETTINGS = settings(max_examples=150, deadline=None)
KINDS: tuple[FloorKind, ...] = ("paper", "boundary", "in_loop")
BOOK = st.sampled_from(BOOKS)
EXACT = st.sampled_from([boundary, in_loop])


def draw_pair(
    data: st.DataObject, book: Codebook, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor]:
    """A weight tensor and an update of it in float32: tiny, large or none, per weight."""
    original = draw_weights(data, dtype, book)
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 2**32), label="update"))
    absmax = per_weight(block_absmax(original), original.numel())
    size = 10.0 ** data.draw(st.integers(-6, 1), label="size")
    step = torch.randn(original.shape, generator=generator) * absmax.clamp(max=1e37) * size
    kept = torch.rand(original.shape, generator=generator) < data.draw(st.floats(0, 1))
    updated = (original.float() + torch.where(kept, step, 0)).clamp(-3e38, 3e38)
    return original, updated


@SETTINGS
@given(st.data(), EXACT, BOOK, st.sampled_from(DTYPES))
def test_every_changed_weight_survives_and_nothing_else_moves(data, form, book, dtype):
    original, updated = draw_pair(data, book, dtype)
    floored = form(original, updated, book).weight
    assert floored.dtype == dtype
    changed = floored != original
    recoded = book.codes(floored) != book.codes(original)
    assert torch.equal(changed, recoded)  # survival 1, collateral 0
    assert torch.equal(block_absmax(floored), block_absmax(original))
    assert not (changed & (updated == original.float())).any()


@SETTINGS
@given(st.data(), EXACT, BOOK, st.sampled_from(DTYPES))
def test_the_floor_of_a_floored_weight_is_the_same(data, form, book, dtype):
    original, updated = draw_pair(data, book, dtype)
    once = form(original, updated, book)
    twice = form(original, once.weight, book)
    assert torch.equal(twice.weight, once.weight)
    assert twice.excluded == twice.pinned == 0


@SETTINGS
@given(st.data(), BOOK, st.sampled_from(DTYPES))
def test_a_boundary_update_keeps_its_direction_and_is_never_made_smaller(data, book, dtype):
    original, updated = draw_pair(data, book, dtype)
    floored = boundary(original, updated, book).weight
    delta, trained = floored.double() - original.double(), updated.double() - original.double()
    moved = floored != original
    assert torch.equal(delta.sign()[moved], trained.sign()[moved])
    absmax = per_weight(block_absmax(original), original.numel())
    kept = updated.to(dtype).clamp(-absmax.to(dtype), absmax.to(dtype)).double()
    assert (delta.abs() >= (kept - original.double()).abs())[moved].all()


@SETTINGS
@given(st.data(), BOOK)
def test_the_smallest_allowed_margin_survives_in_every_dtype(data, book):
    dtype = data.draw(st.sampled_from(DTYPES))
    original, updated = draw_pair(data, book, dtype)
    floored = boundary(original, updated, book, margin=floor.smallest_margin(dtype, book)).weight
    assert torch.equal(floored != original, book.codes(floored) != book.codes(original))


@SETTINGS
@given(st.data(), EXACT, BOOK, st.sampled_from(DTYPES))
def test_a_float32_weight_floored_for_another_dtype_survives_in_it(data, form, book, dtype):
    original, updated = draw_pair(data, book)
    limit = torch.finfo(dtype).max
    original, updated = original.clamp(-limit, limit), updated.clamp(-limit, limit)
    floored = form(original, updated, book, dtype=dtype).weight
    stored = original.to(dtype)
    assert torch.equal(floored != stored, book.codes(floored) != book.codes(stored))
    assert torch.equal(block_absmax(floored), block_absmax(stored))
    assert torch.equal(floored[updated == original], stored[updated == original])


@SETTINGS
@given(st.data(), BOOK, st.sampled_from(DTYPES))
def test_a_snapped_weight_is_a_fixed_point_of_the_quantizer(data, book, dtype):
    original, latent = draw_pair(data, book, dtype)
    snapped = in_loop(original, latent, book).weight
    moved = snapped != original
    deployed = book.dequantize(book.quantize(snapped))
    assert torch.equal(deployed[moved], snapped[moved])


def test_every_update_is_either_moved_excluded_or_pinned():
    generator = torch.Generator().manual_seed(0)
    original = torch.randn(64, 130, generator=generator)
    updated = original + 1e-4 * torch.randn(original.shape, generator=generator)
    floored = boundary(original, updated, NF4)
    moved = int((floored.weight != original).sum())
    assert moved + floored.excluded + floored.pinned == original.numel()
    assert floored.pinned == block_absmax(original).numel()
    # The outermost bins hold a few percent of Gaussian weights, half of them stepping outward.
    assert 0.002 < floored.excluded / original.numel() < 0.05


def test_a_tiny_update_lands_the_stated_margin_past_the_next_boundary():
    generator = torch.Generator().manual_seed(1)
    original = torch.randn(6400, generator=generator)
    for sign in (1, -1):
        floored = boundary(original, original + sign * 1e-5, NF4, margin=0.25).weight
        moved = floored != original
        old, new = NF4.codes(original)[moved].int(), NF4.codes(floored)[moved].int()
        assert torch.equal(new, old + sign)
        absmax = per_weight(block_absmax(original), 6400)[moved]
        middle = NF4.boundaries()[torch.minimum(old, new)]
        landed = (floored[moved] / absmax - middle) / (NF4.levels()[new] - middle)
        assert landed.sub(0.25).abs().max() < 1e-4


def test_the_blocks_largest_weights_stay_even_when_several_are_equally_large():
    original = torch.full((64,), 0.3)
    original[[3, 9]] = torch.tensor([1.0, -1.0])
    for form in (boundary, in_loop):
        floored = form(original, original - 0.5 * original.sign(), NF4)
        assert floored.weight[3] == 1
        assert floored.weight[9] == -1
        assert floored.pinned == 2
    assert (~movable(original, NF4)).nonzero().flatten().tolist() == [3, 9]


def test_a_block_of_zeros_and_a_block_below_the_normal_numbers_never_move():
    original = torch.zeros(128)
    original[64:] = torch.linspace(-1, 1, 64) * 1e-39
    assert not movable(original, NF4).any()
    floored = boundary(original, original + 1, NF4)
    assert torch.equal(floored.weight, original)
    assert floored.pinned == 128


@pytest.mark.parametrize("kind", ["boundary", "in_loop"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_survival_is_exact_after_saving_and_loading(kind, dtype, tmp_path):
    generator = torch.Generator().manual_seed(2)
    original = (torch.randn(96, 200, generator=generator) * 0.02).to(dtype)
    updated = original.float() + 1e-3 * torch.randn(original.shape, generator=generator)
    floored = apply_floor(kind, original, updated, NF4).weight
    save_file({"weight": floored}, tmp_path / "delta.safetensors")
    loaded = load_file(tmp_path / "delta.safetensors")["weight"]
    changed = (loaded != original).flatten()
    assert changed.any()
    assert torch.equal(changed, NF4.codes(loaded) != NF4.codes(original))


def test_the_result_does_not_depend_on_the_chunk_size(monkeypatch):
    generator = torch.Generator().manual_seed(3)
    original = torch.randn(5, 177, generator=generator)
    updated = original + 0.1 * torch.randn(original.shape, generator=generator)
    whole = {kind: apply_floor(kind, original, updated, NF4) for kind in KINDS}
    monkeypatch.setattr(floor, "CHUNK", 128)
    for kind in KINDS:
        expected, pieces = whole[kind], apply_floor(kind, original, updated, NF4)
        assert torch.equal(pieces.weight, expected.weight)
        assert (pieces.excluded, pieces.pinned) == (expected.excluded, expected.pinned)


def test_the_papers_floor_lifts_every_update_to_a_bin_width_and_leaves_larger_ones():
    generator = torch.Generator().manual_seed(4)
    original = torch.randn(64, 64, generator=generator)
    delta = 10.0 ** torch.linspace(-5, 0.5, 4096).view(64, 64) * (1 - 2 * (original > 0).float())
    delta[0] = 0
    floored = paper(original, original + delta, NF4)
    width = NF4.bin_widths(original)
    inward = (floored.weight - original)[1:]  # every update points to zero: none is excluded
    assert floored.excluded == 0
    assert torch.equal(floored.weight[0], original[0])
    expected = delta.sign() * delta.abs().maximum(width)
    torch.testing.assert_close(inward, expected[1:], atol=1e-5, rtol=1e-5)


def test_the_papers_floor_with_one_width_for_the_tensor_lifts_to_that_width():
    original = torch.randn(64, 64, generator=torch.Generator().manual_seed(5))
    floored = paper(original, original - 1e-4 * original.sign(), NF4, scale="tensor")
    lifted = (floored.weight - original).abs()
    width = torch.full_like(lifted, NF4.per_tensor_bin_width(original))
    torch.testing.assert_close(lifted, width, atol=1e-5, rtol=1e-5)


def test_the_papers_floor_can_move_scales_and_so_does_not_guarantee_survival():
    generator = torch.Generator().manual_seed(6)
    original = torch.randn(64, 256, generator=generator)
    updated = original + 1e-4 * torch.randn(original.shape, generator=generator)
    floored = paper(original, updated, NF4)
    assert not torch.equal(block_absmax(floored.weight), block_absmax(original))
    survived = NF4.codes(floored.weight) != NF4.codes(original)
    assert 0.8 < survived.float().mean() < 1
    assert floored.excluded > 0


def test_snapping_loose_weights_equals_snapping_the_matrix():
    generator = torch.Generator().manual_seed(7)
    original = torch.randn(32, 128, generator=generator)
    latent = original + 0.2 * torch.randn(original.shape, generator=generator)
    may = movable(original, NF4)
    latent = torch.where(may, latent, original)
    index = may.flatten().nonzero().squeeze(1)
    absmax = block_absmax(original)[index // BLOCK]
    before = original.flatten()[index]
    _, moved, levels = snap(
        latent.flatten()[index], before, absmax, (NF4, NF4.codes(original)[index])
    )
    values = torch.where(moved, levels, before)
    assert torch.equal(values, in_loop(original, latent, NF4).weight.flatten()[index])


def test_an_untouched_weight_stays_even_where_the_library_decided_a_tie_the_other_way():
    weight = NF4.boundaries().clone()
    other = NF4.codes_of(weight, torch.ones(15)) + 1  # the upper instead of the lower code
    assert not snap(weight, weight, torch.ones(15), (NF4, other)).moved.any()


def test_bad_input_is_named():
    weight = torch.randn(64, generator=torch.Generator().manual_seed(8))
    with pytest.raises(InputError, match="unknown"):
        apply_floor("bottom", weight, weight, NF4)  # pyright: ignore
    with pytest.raises(InputError, match="shape"):
        boundary(weight, weight[:32], NF4)
    with pytest.raises(InputError, match="Margin"):
        boundary(weight, weight, NF4, dtype=torch.bfloat16, margin=0.01)
    with pytest.raises(InputError, match="Margin"):
        boundary(weight, weight, NF4, margin=1.5)
    with pytest.raises(RunError, match="not finite"):
        boundary(weight, weight * float("nan"), NF4)
