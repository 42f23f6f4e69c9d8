"""What is simulated is what transformers really loads, for the formats that it can load."""

import importlib.util
from functools import partial
from pathlib import Path

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    BitsAndBytesConfig,
    TorchAoConfig,
)

from mansu.models.language_model import LanguageModel
from mansu.quant import deployed

TOKENS = torch.arange(24).view(2, 12)
bitsandbytes_4bit = partial(
    BitsAndBytesConfig,
    load_in_4bit=True,
    bnb_4bit_quant_type="nf4",
    bnb_4bit_compute_dtype=torch.float32,
)


@pytest.fixture(scope="module")
def folder(model: LanguageModel, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("model")
    model.module.save_pretrained(path)
    return path


def apart(model: LanguageModel, folder: Path, name: str, settings, training: bool) -> float:
    """How far the logits lie from those of the really loaded model, relative to their size."""
    real = AutoModelForCausalLM.from_pretrained(
        folder, quantization_config=settings, dtype=torch.float32
    )
    with torch.no_grad(), deployed(model, name):
        expected = model.module(TOKENS).logits
        found = real.train(training)(TOKENS).logits
    return float((found - expected).norm() / expected.norm())


def test_double_quantization_says_what_the_loaded_model_says(model, folder) -> None:
    settings = bitsandbytes_4bit(bnb_4bit_use_double_quant=True)
    assert apart(model, folder, "nf4-dq", settings, training=True) == 0
    assert apart(model, folder, "nf4", settings, training=True) > 1e-3
    # Evaluating, some processors repack the weights to bfloat16, whatever dtype was asked for.
    assert apart(model, folder, "nf4-dq", settings, training=False) < 0.03


def test_int8_is_the_loaded_models_weights_and_not_its_rounded_inputs(model, folder) -> None:
    settings = BitsAndBytesConfig(load_in_8bit=True)
    assert apart(model, folder, "int8", settings, training=True) < 1e-6
    assert apart(model, folder, "fp", settings, training=True) > 1e-3
    assert 1e-3 < apart(model, folder, "int8", settings, training=False) < 0.01


def test_int4_says_what_the_loaded_model_says(model, folder) -> None:
    if importlib.util.find_spec("torchao") is None:
        pytest.skip("int4-g32 needs torchao: pip install 'mansu[formats]'")
    from torchao.quantization import IntxWeightOnlyConfig
    from torchao.quantization.granularity import PerGroup

    settings = TorchAoConfig(
        IntxWeightOnlyConfig(weight_dtype=torch.int4, granularity=PerGroup(32))
    )
    for training in (True, False):
        assert apart(model, folder, "int4-g32", settings, training) == 0
