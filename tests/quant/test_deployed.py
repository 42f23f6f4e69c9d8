from pathlib import Path

import bitsandbytes as bnb
import pytest
import torch
from bitsandbytes.nn.modules import Linear4bit
from safetensors.torch import load_file

from mansu.errors import RunError
from mansu.models import swap
from mansu.models.language_model import LanguageModel
from mansu.models.swap import swapped
from mansu.quant import deployed, linear_weights, load_real_4bit
from mansu.quant.codebook import NF4
from mansu.unlearn.floor import apply_floor

TOKENS = torch.arange(24).view(2, 12)


@pytest.fixture(scope="module")
def folder(model: LanguageModel, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("model")
    model.module.save_pretrained(path)
    return path


def test_every_linear_layer_but_the_head_is_quantized(model):
    weights = linear_weights(model)
    assert len(weights) == 2 * 7
    before = {name: weight.clone() for name, weight in model.module.state_dict().items()}
    with deployed(model):
        for name, weight in model.module.state_dict().items():
            if name in weights:
                expected = NF4.dequantize(NF4.quantize(before[name]))
                assert torch.equal(weight, expected)
                assert not torch.equal(weight, before[name])
            else:
                assert torch.equal(weight, before[name])


def test_the_original_tensors_themselves_come_back_also_after_an_exception(model):
    pointers = {name: weight.data_ptr() for name, weight in linear_weights(model).items()}
    copies = {name: weight.clone() for name, weight in linear_weights(model).items()}
    with pytest.raises(AttributeError), deployed(model):
        model.module.get_parameter("no.such.weight")
    for name, weight in linear_weights(model).items():
        assert weight.data_ptr() == pointers[name]
        assert torch.equal(weight, copies[name])


def test_a_weight_that_is_not_finite_leaves_the_model_as_it_was(model):
    name = "model.layers.1.mlp.up_proj.weight"
    broken = linear_weights(model)[name].clone()
    broken[0, 0] = float("nan")
    before = linear_weights(model)["model.layers.0.mlp.up_proj.weight"].data_ptr()
    with swapped(model.module, {name: broken}), pytest.raises(RunError), deployed(model):
        pass
    assert linear_weights(model)["model.layers.0.mlp.up_proj.weight"].data_ptr() == before


def test_on_an_accelerator_the_originals_leave_the_device_and_return_to_their_storage(
    model, monkeypatch
):
    weights = linear_weights(model)
    copies = {name: weight.clone() for name, weight in weights.items()}
    with deployed(model):
        expected = model.module(TOKENS).logits
    monkeypatch.setattr(swap, "_in_host_memory", lambda tensor: False)
    with deployed(model):
        assert all(weight.untyped_storage().nbytes() == 0 for weight in weights.values())
        assert torch.equal(model.module(TOKENS).logits, expected)
    for name, weight in linear_weights(model).items():
        assert weight.data_ptr() == weights[name].data_ptr()
        assert torch.equal(weights[name], copies[name])


def test_a_weight_that_the_format_leaves_as_it_is_stays_on_the_accelerator(model, monkeypatch):
    weights = linear_weights(model)
    copies = {name: weight.clone() for name, weight in weights.items()}
    monkeypatch.setattr(swap, "_in_host_memory", lambda tensor: False)
    with swap.replaced(model.module, list(weights), lambda name, weight: weight):
        assert all(torch.equal(weight, copies[name]) for name, weight in weights.items())
    for name, weight in linear_weights(model).items():
        assert weight.data_ptr() == weights[name].data_ptr()
        assert torch.equal(weight, copies[name])


def test_a_failure_half_way_brings_parked_originals_back(model, monkeypatch):
    name = "model.layers.1.mlp.up_proj.weight"
    copies = {name: weight.clone() for name, weight in linear_weights(model).items()}
    broken = linear_weights(model)[name].clone()
    broken[0, 0] = float("nan")
    monkeypatch.setattr(swap, "_in_host_memory", lambda tensor: False)
    with swapped(model.module, {name: broken}), pytest.raises(RunError), deployed(model):
        pass
    for name, weight in linear_weights(model).items():
        assert torch.equal(weight, copies[name])


def test_codes_and_weights_are_bit_equal_to_the_real_4bit_layers(model, folder):
    # Its codes are read before a forward pass repacks them.
    real = load_real_4bit(folder, torch.float32, NF4)
    found = {f"{name}.weight" for name, m in real.named_modules() if isinstance(m, Linear4bit)}
    weights = linear_weights(model)
    assert found == set(weights)
    for name, weight in weights.items():
        parameter = real.get_parameter(name)
        ours = NF4.quantize(weight)
        assert torch.equal(parameter.data.view(-1), ours.packed)
        assert torch.equal(parameter.quant_state.absmax, ours.absmax)  # pyright: ignore
        theirs = bnb.functional.dequantize_4bit(parameter.data, parameter.quant_state)  # pyright: ignore
        assert torch.equal(theirs, NF4.dequantize(ours))


def test_the_output_is_bit_equal_to_the_real_4bit_model_in_training_mode(model, folder):
    real = load_real_4bit(folder, torch.float32, NF4).train()
    with torch.no_grad(), deployed(model):
        assert torch.equal(real(TOKENS).logits, model.module(TOKENS).logits)


def test_the_output_is_close_to_the_real_4bit_model_in_evaluation_mode(model, folder):
    # There some processors repack the weights to bfloat16, whatever dtype was asked for.
    real = load_real_4bit(folder, torch.float32, NF4).eval()
    with torch.no_grad(), deployed(model):
        expected = model.module(TOKENS).logits
        difference = (real(TOKENS).logits - expected).norm() / expected.norm()
    assert difference < 0.03


@pytest.mark.parametrize("kind", ["boundary", "in_loop"])
def test_every_floored_weight_survives_in_the_real_4bit_model(kind, model, tmp_path):
    name = "model.layers.1.mlp.down_proj.weight"
    original = linear_weights(model)[name]
    generator = torch.Generator().manual_seed(0)
    updated = original + 0.01 * torch.randn(original.shape, generator=generator)
    floored = apply_floor(kind, original, updated, NF4).weight
    with swapped(model.module, {name: floored}):
        model.module.save_pretrained(tmp_path)
    saved = load_file(tmp_path / "model.safetensors")[name]
    changed = (saved != original).flatten()
    assert changed.any()
    parameter = load_real_4bit(tmp_path, torch.float32, NF4).get_parameter(name)
    packed = parameter.data.view(-1)
    codes = torch.stack((packed >> 4, packed & 15), dim=1).flatten()
    assert torch.equal(codes != NF4.codes(original), changed)
    assert torch.equal(
        parameter.quant_state.absmax,  # pyright: ignore
        NF4.quantize(original).absmax,
    )
