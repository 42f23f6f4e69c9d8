"""Each format is bit for bit what its own library makes of the same weight."""

import importlib.util
from collections.abc import Callable
from functools import cache

import bitsandbytes as bnb
import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType as Kind
from gguf import quants
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM

from mansu.errors import RunError
from mansu.models.families import family_of
from mansu.models.language_model import LanguageModel
from mansu.quant import deployed, linear_weights
from mansu.quant.formats import Format, find_format
from mansu.quant.formats.q4_k_m import storage
from mansu.registry import plugs

FORMATS = tuple(plugs("mansu.quant.formats"))
DTYPES = (torch.float32, torch.float16, torch.bfloat16)
CALIBRATED = {name for name in FORMATS if find_format(name).calibrated}  # test_calibration
ROUNDING = tuple(name for name in FORMATS if name not in {"fp", *CALIBRATED})


def usable(name: str) -> Format:
    """The format; skips where a library of its is not installed."""
    form = find_format(name)
    absent = [library for library in form.libraries if importlib.util.find_spec(library) is None]
    if absent:
        pytest.skip(f"{name} needs {' and '.join(absent)}: pip install 'mansu[formats]'")
    return form


@cache
def model() -> LanguageModel:
    """Random weights; rows of 64 (no whole K-block) and of 256 (one)."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=32,
        hidden_size=64,
        intermediate_size=256,
        num_hidden_layers=8,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=True,
    )
    module = LlamaForCausalLM(config).eval().requires_grad_(False)
    return LanguageModel("random", module, None, family_of(config), "")  # pyright: ignore


def made(name: str, dtype: torch.dtype) -> list[tuple[str, Tensor, Tensor]]:
    """Every weight's name, the weight, and what the format makes of it."""
    usable(name)
    weights = {place: weight.clone() for place, weight in linear_weights(model()).items()}
    model().module.to(dtype)
    try:
        before = {place: weight.clone() for place, weight in linear_weights(model()).items()}
        with deployed(model(), name):
            after = linear_weights(model())
            found = [(place, weight, after[place].clone()) for place, weight in before.items()]
        assert all(torch.equal(now, before[k]) for k, now in linear_weights(model()).items())
        return found
    finally:
        model().module.float()
        for place, weight in weights.items():
            model().module.get_parameter(place).data.copy_(weight)


def bitsandbytes_4bit(block: int, double: bool) -> Callable[[Tensor], Tensor]:
    def theirs(weight: Tensor) -> Tensor:
        packed, state = bnb.functional.quantize_4bit(
            weight, blocksize=block, quant_type="nf4", compress_statistics=double
        )
        # As one row: of a matrix whose rows end within a block the library reads other scales.
        state.shape = torch.Size((1, weight.numel()))
        return bnb.functional.dequantize_4bit(packed.view(-1, 1), state).view(weight.shape)

    return theirs


def bitsandbytes_int8(weight: Tensor) -> Tensor:
    layer = bnb.nn.Linear8bitLt(weight.shape[1], weight.shape[0], False, has_fp16_weights=False)
    layer.weight = bnb.nn.Int8Params(weight.clone(), requires_grad=False, has_fp16_weights=False)
    layer.to("cpu")
    stored = layer.weight
    return bnb.functional.int8_vectorwise_dequant(stored.CB, stored.SCB).to(weight.dtype)


def gguf_type(kind: Kind) -> Callable[[Tensor], Tensor]:
    def theirs(weight: Tensor) -> Tensor:
        stored = quants.quantize(weight.float().numpy(), kind)
        return torch.from_numpy(quants.dequantize(stored, kind)).to(weight.dtype)

    return theirs


def hqq(weight: Tensor) -> Tensor:
    from hqq.core.quantize import BaseQuantizeConfig, HQQLinear

    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    linear.weight.data = weight.clone()
    settings = BaseQuantizeConfig(nbits=4, group_size=64, axis=1)
    return HQQLinear(linear, settings, compute_dtype=weight.dtype, device="cpu").dequantize()


def torchao_int4(weight: Tensor) -> Tensor:
    from torchao.quantization import IntxWeightOnlyConfig, quantize_
    from torchao.quantization.granularity import PerGroup

    model = nn.Sequential(nn.Linear(weight.shape[1], weight.shape[0], bias=False))
    model[0].weight.data = weight.clone()
    quantize_(model, IntxWeightOnlyConfig(weight_dtype=torch.int4, granularity=PerGroup(32)))
    return model[0].weight.dequantize()


def torchao_mxfp4(weight: Tensor) -> Tensor:
    from torchao.prototype.mx_formats.mx_tensor import MXTensor

    stored = MXTensor.to_mx(weight.float(), torch.float4_e2m1fn_x2, 32)
    return stored.dequantize(torch.float32).to(weight.dtype)


LIBRARIES: dict[str, Callable[[Tensor], Tensor]] = {
    "nf4": bitsandbytes_4bit(64, double=False),
    "nf4-dq": bitsandbytes_4bit(64, double=True),
    "nf4-b128": bitsandbytes_4bit(128, double=False),
    "int8": bitsandbytes_int8,
    "q4_0": gguf_type(Kind.Q4_0),
    "q8_0": gguf_type(Kind.Q8_0),
    "bf16": gguf_type(Kind.BF16),
    "fp16": gguf_type(Kind.F16),
    "hqq-g64": hqq,
    "int4-g32": torchao_int4,
    "mxfp4": torchao_mxfp4,
}


def test_every_format_is_held_against_its_library() -> None:
    elsewhere = {"fp", "fp4", "q4_k_m"}  # nothing to compute; test_codebook; below
    assert {*LIBRARIES, *elsewhere, *CALIBRATED} == set(FORMATS)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", LIBRARIES)
def test_every_weight_is_bit_equal_to_what_the_library_computes(
    name: str, dtype: torch.dtype
) -> None:
    for place, weight, ours in made(name, dtype):
        assert ours.dtype == dtype, place
        assert torch.equal(ours, LIBRARIES[name](weight)), place


@pytest.mark.parametrize("name", ROUNDING)
def test_a_format_changes_weights_and_little_of_them(name: str) -> None:
    for _, weight, ours in made(name, torch.float32):
        assert 0 < (ours - weight).norm() < 0.15 * weight.norm()


@pytest.mark.parametrize("name", ROUNDING)
def test_a_row_of_zeros_stays_one_and_spoils_no_other(name: str) -> None:
    usable(name)
    weight = linear_weights(model())["model.layers.3.mlp.down_proj.weight"]
    kept = weight.clone()
    try:
        weight[5] = 0
        with deployed(model(), name):
            found = linear_weights(model())["model.layers.3.mlp.down_proj.weight"]
            assert torch.equal(found[5].abs(), torch.zeros(256))
            assert (found[6] - kept[6]).norm() < 0.15 * kept[6].norm()
    finally:
        weight.copy_(kept)


@pytest.mark.parametrize("name", ROUNDING)
def test_a_weight_that_is_not_finite_has_no_form_in_any_format(name: str) -> None:
    usable(name)
    weight = linear_weights(model())["model.layers.7.mlp.up_proj.weight"]
    kept = weight[0, 0].clone()
    weight[0, 0] = float("inf")
    try:
        with pytest.raises(RunError, match="A weight is not finite"), deployed(model(), name):
            pass
    finally:
        weight[0, 0] = kept


# ---- Q4_K_M: llama.cpp's mixture -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("layers", "finer"),
    [
        # Written down from llama.cpp's rule for 30 blocks (SmolLM2) and 18 (Gemma 3 270M), as its
        # own files of these models have it.
        (30, {0, 1, 2, 5, 8, 11, 14, 17, 20, 23, 26, 27, 28, 29}),
        (18, {0, 1, 4, 7, 10, 13, 15, 16, 17}),
        (1, {0}),
    ],
)
@pytest.mark.parametrize("matrix", ["self_attn.v_proj", "mlp.down_proj"])
def test_the_values_and_the_way_down_get_more_bits_in_the_layers_that_llama_cpp_says(
    matrix: str, layers: int, finer: set[int]
) -> None:
    kinds = [storage(f"model.layers.{n}.{matrix}.weight", 2048, layers) for n in range(layers)]
    assert {n for n, kind in enumerate(kinds) if kind == Kind.Q6_K} == finer
    assert {kind for n, kind in enumerate(kinds) if n not in finer} <= {Kind.Q4_K}


@pytest.mark.parametrize(
    ("matrix", "row", "kind"),
    [
        ("mlp.gate_proj", 576, Kind.Q5_0),
        ("mlp.down_proj", 576, Kind.Q8_0),
        ("mlp.down_proj", 1536, Kind.Q6_K),
        ("self_attn.o_proj", 512, Kind.Q4_K),
        ("self_attn.v_proj", 48, Kind.F16),
        ("self_attn.k_proj", 48, Kind.F16),
    ],
)
def test_a_row_that_is_no_whole_block_gets_what_llama_cpp_falls_back_to(
    matrix: str, row: int, kind: Kind
) -> None:
    assert storage(f"model.layers.0.{matrix}.weight", row, 30) == kind


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_q4_k_m_is_what_libgguf_writes_and_gguf_reads(dtype: torch.dtype) -> None:
    usable("q4_k_m")
    import libgguf

    found = set()
    for place, weight, ours in made("q4_k_m", dtype):
        kind = storage(place, weight.shape[1], 8)
        found.add(kind)
        stored = libgguf.quantize_rows(weight.float().numpy(), kind)
        theirs = quants.dequantize(stored, kind)
        assert torch.equal(ours, torch.from_numpy(theirs).to(dtype)), place
        again = np.asarray(libgguf.dequantize_rows(stored, kind, weight.shape[1]))
        assert np.array_equal(again.reshape(theirs.shape), theirs)
    assert found == {Kind.Q4_K, Kind.Q6_K, Kind.Q5_0, Kind.Q8_0}
