import bitsandbytes.functional as bnb
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mansu.errors import RunError
from mansu.quant import nf4
from tests.quant.blocks import DTYPES, draw_weights

SETTINGS = settings(max_examples=150, deadline=None)


def test_the_codebook_is_the_librarys_with_sixteen_ascending_levels_from_minus_one_to_one():
    levels = nf4.codebook()
    assert torch.equal(levels, bnb.get_4bit_type("nf4", device="cpu"))
    assert (levels.diff() > 0).all()
    assert levels[[0, 7, 15]].tolist() == [-1.0, 0.0, 1.0]


def test_the_librarys_decisions_change_within_a_few_ulps_of_the_midpoints():
    one_block = torch.zeros(15, nf4.BLOCK)
    one_block[:, 0] = 1.0  # the scale, so that x is the weight
    middles = nf4.boundaries()
    for ulps, side in ((-4, 0), (4, 1)):
        one_block[:, 1] = middles * (1 + ulps * middles.sign() * torch.finfo().eps)
        found = nf4.codes(one_block).view(15, nf4.BLOCK)[:, 1]
        assert found.tolist() == [code + side for code in range(15)]


@SETTINGS
@given(st.data(), st.sampled_from(DTYPES))
def test_unpacked_codes_and_scales_are_what_the_library_dequantizes_from(data, dtype):
    weight = draw_weights(data, dtype)
    quantized = nf4.quantize(weight)
    codes = nf4.unpack(quantized)
    packed, state = bnb.quantize_4bit(weight, blocksize=64, quant_type="nf4")
    padded = torch.nn.functional.pad(codes, (0, codes.numel() % 2), value=7)
    assert torch.equal((padded[::2] << 4 | padded[1::2]), packed.view(-1))
    assert torch.equal(quantized.absmax, state.absmax)
    absmax = nf4.per_weight(quantized.absmax, weight.numel())
    fine = nf4.resolves(absmax, dtype)  # elsewhere the library may flush a level to zero
    restored, expected = nf4.dequantize(quantized), nf4.level(codes, absmax).to(dtype)
    assert torch.equal(restored[fine], expected[fine])
    assert (restored - expected)[~fine].abs().sum() <= 64 * 4 * torch.finfo(dtype).tiny


@SETTINGS
@given(st.data(), st.sampled_from(DTYPES))
def test_block_absmax_is_the_librarys_scale(data, dtype):
    weight = draw_weights(data, dtype)
    ours, theirs = nf4.block_absmax(weight), nf4.quantize(weight).absmax
    assert torch.equal(ours.clamp(min=1e-38), theirs.clamp(min=1e-38))


@SETTINGS
@given(st.data(), st.sampled_from(DTYPES))
def test_codes_of_loose_weights_equal_the_librarys_away_from_one_ulp_ties(data, dtype):
    weight = draw_weights(data, dtype)
    absmax = nf4.per_weight(nf4.block_absmax(weight), weight.numel())
    x = weight.float() / absmax.clamp(min=1e-38)
    near = (x[:, None] - nf4.boundaries()).abs().amin(dim=1) <= 4 * torch.finfo().eps
    assert torch.equal(nf4.codes_of(weight, absmax)[~near], nf4.codes(weight)[~near])
    assert ((nf4.codes_of(weight, absmax).int() - nf4.codes(weight).int()).abs() <= 1).all()


@SETTINGS
@given(st.data(), st.sampled_from(DTYPES))
def test_quantizing_a_dequantized_weight_changes_nothing(data, dtype):
    weight = draw_weights(data, dtype)
    absmax = nf4.per_weight(nf4.block_absmax(weight), weight.numel())
    weight[~nf4.resolves(absmax, dtype)] = 0
    once = nf4.dequantize(nf4.quantize(weight))
    assert torch.equal(nf4.codes(once), nf4.codes(weight))
    assert torch.equal(nf4.dequantize(nf4.quantize(once)), once)


@SETTINGS
@given(st.data())
def test_a_step_of_one_bin_width_changes_the_code_unless_it_leaves_an_outermost_bin_outward(data):
    weight = torch.randn(
        640, generator=torch.Generator().manual_seed(data.draw(st.integers(0, 999)))
    )
    width = nf4.bin_widths(weight)
    codes, absmax = nf4.codes(weight), nf4.per_weight(nf4.block_absmax(weight), 640)
    up = nf4.codes_of(weight + 1.0001 * width, absmax)
    down = nf4.codes_of(weight - 1.0001 * width, absmax)
    assert (up[codes < 15] > codes[codes < 15]).all()
    assert (down[codes > 0] < codes[codes > 0]).all()
    inner = (codes > 0) & (codes < 15)
    shares = (width / absmax)[inner]
    assert shares.min() > 0.0804
    assert shares.max() < 0.2376


@pytest.mark.parametrize(
    "shape", [(1,), (2,), (3, 5), (7, 64), (65,), (4, 33), (64, 96), (2, 3, 64)]
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_any_shape_is_restored_to_its_levels_in_its_own_dtype(shape, dtype):
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(dtype)
    restored = nf4.dequantize(nf4.quantize(weight))
    assert restored.shape == weight.shape
    assert restored.dtype == dtype
    absmax = nf4.per_weight(nf4.block_absmax(weight), weight.numel())
    expected = nf4.level(nf4.codes(weight), absmax).to(dtype).view(shape)
    assert torch.equal(restored, expected)
    assert nf4.codes(weight).shape == (weight.numel(),)
    assert nf4.dequantize(nf4.quantize(weight), torch.float32).dtype == torch.float32


def test_a_transposed_view_is_quantized_in_its_own_order():
    weight = torch.randn(64, 32, generator=torch.Generator().manual_seed(0))
    assert torch.equal(nf4.codes(weight.t()), nf4.codes(weight.t().contiguous()))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_weight_that_is_not_finite_is_an_error(value):
    weight = torch.ones(128)
    weight[5] = value
    with pytest.raises(RunError, match="not finite"):
        nf4.quantize(weight)


def test_the_per_tensor_width_is_the_narrowest_bin_at_the_tensors_own_scale():
    weight = torch.tensor([0.5, -2.0, 0.1])
    assert nf4.per_tensor_bin_width(weight) == pytest.approx(2 * 0.08046, rel=1e-3)
