import bitsandbytes.functional as bnb
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mansu.errors import RunError
from mansu.quant.codebook import BLOCK, FP4, NF4, block_absmax, per_weight
from tests.quant.blocks import BOOKS, DTYPES, draw_weights

BOOK = st.sampled_from(BOOKS)
SETTINGS = settings(max_examples=150, deadline=None)


def test_nf4_is_the_librarys_with_sixteen_ascending_levels_from_minus_one_to_one():
    levels = NF4.levels()
    assert torch.equal(levels, bnb.get_4bit_type("nf4", device="cpu"))
    assert (levels.diff() > 0).all()
    assert levels[[0, 7, 15]].tolist() == [-1.0, 0.0, 1.0]


def test_fp4_is_the_librarys_in_ascending_order_with_one_zero():
    given, levels = bnb.get_4bit_type("fp4", device="cpu"), FP4.levels()
    assert FP4.size == 15
    assert (levels.diff() > 0).all()
    assert set(levels.tolist()) == set(given.tolist())
    tiny = torch.tensor([1.0, 1e-6, -1e-6, 0.0])  # the library has +0 and -0 for them
    assert FP4.codes(tiny).tolist() == [14, 7, 7, 7]


@pytest.mark.parametrize("book", BOOKS)
def test_the_librarys_decisions_change_within_a_few_ulps_of_the_midpoints(book):
    middles = book.boundaries()
    one_block = torch.zeros(len(middles), BLOCK)
    one_block[:, 0] = 1.0  # the scale, so that x is the weight
    for ulps, side in ((-4, 0), (4, 1)):
        one_block[:, 1] = middles * (1 + ulps * middles.sign() * torch.finfo().eps)
        found = book.codes(one_block).view(len(middles), BLOCK)[:, 1]
        assert found.tolist() == [code + side for code in range(len(middles))]


@SETTINGS
@given(st.data(), BOOK, st.sampled_from(DTYPES))
def test_unpacked_codes_and_scales_are_what_the_library_dequantizes_from(data, book, dtype):
    weight = draw_weights(data, dtype, book)
    quantized = book.quantize(weight)
    codes = book.unpack(quantized)
    packed, state = bnb.quantize_4bit(weight, blocksize=64, quant_type=book.name)
    pairs = torch.stack((packed.view(-1) >> 4, packed.view(-1) & 15), 1).flatten()
    assert torch.equal(book.levels()[codes.int()], state.code[pairs.int()][: codes.numel()])
    assert torch.equal(quantized.absmax, state.absmax)
    absmax = per_weight(quantized.absmax, weight.numel())
    fine = book.resolves(absmax, dtype)  # elsewhere the library may flush a level to zero
    restored, expected = book.dequantize(quantized), book.level(codes, absmax).to(dtype)
    assert torch.equal(restored[fine], expected[fine])
    assert (restored - expected)[~fine].abs().sum() <= 64 * 4 * torch.finfo(dtype).tiny


@SETTINGS
@given(st.data(), BOOK, st.sampled_from(DTYPES))
def test_block_absmax_is_the_librarys_scale(data, book, dtype):
    weight = draw_weights(data, dtype, book)
    ours, theirs = block_absmax(weight), book.quantize(weight).absmax
    assert torch.equal(ours.clamp(min=1e-38), theirs.clamp(min=1e-38))


@SETTINGS
@given(st.data(), BOOK, st.sampled_from(DTYPES))
def test_codes_of_loose_weights_equal_the_librarys_away_from_one_ulp_ties(data, book, dtype):
    weight = draw_weights(data, dtype, book)
    absmax = per_weight(block_absmax(weight), weight.numel())
    x = weight.float() / absmax.clamp(min=1e-38)
    near = (x[:, None] - book.boundaries()).abs().amin(dim=1) <= 4 * torch.finfo().eps
    assert torch.equal(book.codes_of(weight, absmax)[~near], book.codes(weight)[~near])
    assert ((book.codes_of(weight, absmax).int() - book.codes(weight).int()).abs() <= 1).all()


@SETTINGS
@given(st.data(), BOOK, st.sampled_from(DTYPES))
def test_quantizing_a_dequantized_weight_changes_nothing(data, book, dtype):
    weight = draw_weights(data, dtype, book)
    absmax = per_weight(block_absmax(weight), weight.numel())
    weight[~book.resolves(absmax, dtype)] = 0
    once = book.dequantize(book.quantize(weight))
    assert torch.equal(book.codes(once), book.codes(weight))
    assert torch.equal(book.dequantize(book.quantize(once)), once)


@SETTINGS
@given(st.data(), BOOK)
def test_a_step_of_one_bin_width_changes_the_code_unless_it_leaves_an_outermost_bin_outward(
    data, book
):
    weight = torch.randn(
        640, generator=torch.Generator().manual_seed(data.draw(st.integers(0, 999)))
    )
    width = book.bin_widths(weight)
    codes, absmax = book.codes(weight), per_weight(block_absmax(weight), 640)
    up = book.codes_of(weight + 1.0001 * width, absmax)
    down = book.codes_of(weight - 1.0001 * width, absmax)
    last = book.size - 1
    assert (up[codes < last] > codes[codes < last]).all()
    assert (down[codes > 0] < codes[codes > 0]).all()
    inner = (codes > 0) & (codes < last)
    shares = (width / absmax)[inner]
    narrowest, widest = {NF4: (0.0804, 0.2376), FP4: (0.0052, 0.2501)}[book]
    assert shares.min() > narrowest
    assert shares.max() < widest


@pytest.mark.parametrize(
    "shape", [(1,), (2,), (3, 5), (7, 64), (65,), (4, 33), (64, 96), (2, 3, 64)]
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_any_shape_is_restored_to_its_levels_in_its_own_dtype(shape, dtype):
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(dtype)
    restored = NF4.dequantize(NF4.quantize(weight))
    assert restored.shape == weight.shape
    assert restored.dtype == dtype
    absmax = per_weight(block_absmax(weight), weight.numel())
    expected = NF4.level(NF4.codes(weight), absmax).to(dtype).view(shape)
    assert torch.equal(restored, expected)
    assert NF4.codes(weight).shape == (weight.numel(),)
    assert NF4.dequantize(NF4.quantize(weight), torch.float32).dtype == torch.float32


def test_a_transposed_view_is_quantized_in_its_own_order():
    weight = torch.randn(64, 32, generator=torch.Generator().manual_seed(0))
    assert torch.equal(NF4.codes(weight.t()), NF4.codes(weight.t().contiguous()))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_weight_that_is_not_finite_is_an_error(value):
    weight = torch.ones(128)
    weight[5] = value
    with pytest.raises(RunError, match="not finite"):
        NF4.quantize(weight)


def test_the_per_tensor_width_is_the_narrowest_bin_at_the_tensors_own_scale():
    weight = torch.tensor([0.5, -2.0, 0.1])
    assert NF4.per_tensor_bin_width(weight) == pytest.approx(2 * 0.08046, rel=1e-3)
