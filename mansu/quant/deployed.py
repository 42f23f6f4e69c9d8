"""The deployed model: every linear layer but the output head in NF4.

Quantizing and dequantizing a weight in place of the original simulates the deployed model exactly
in the model's own precision, and needs no second model on the device: the weights are replaced one
by one, and on an accelerator the originals wait in host memory.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, PreTrainedModel

from mansu.models.language_model import LanguageModel
from mansu.models.swap import replaced
from mansu.quant import nf4


def linear_weights(model: LanguageModel) -> dict[str, Tensor]:
    """The weights that deployment quantizes, by name; shares the model's storage."""
    names = model.family.linear_weight_names(model.module)
    return {name: model.module.get_parameter(name).data for name in names}


def dequantized(weight: Tensor) -> Tensor:
    """The weight as deployment computes with it: in NF4 and back, in its own dtype."""
    return nf4.dequantize(nf4.quantize(weight))


@contextmanager
def deployed(model: LanguageModel) -> Iterator[LanguageModel]:
    """The model as deployed, for the length of a ``with`` block.

    Args:
        model: The model; its own tensors return untouched afterwards.
    """
    names = model.family.linear_weight_names(model.module)
    with replaced(model.module, names, dequantized):
        yield model


def load_real_4bit(folder: Path | str, dtype: torch.dtype) -> PreTrainedModel:
    """Loads a saved model folder through transformers with real 4-bit layers.

    Args:
        folder: A folder with configuration and safetensors.
        dtype: Dtype of the other weights and of the arithmetic: that of the run, to be what was
            judged.
    """
    settings = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=False,
        bnb_4bit_compute_dtype=dtype,
    )
    return AutoModelForCausalLM.from_pretrained(
        folder, quantization_config=settings, dtype=dtype, use_safetensors=True
    )
