"""The deployed model: every linear layer but the output head in NF4.

Quantizing and dequantizing a weight in place of the original simulates the deployed model exactly
in the model's own precision, and needs no second model: the twin is kept as packed codes and
swapped in for as long as it is used.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, PreTrainedModel

from mansu.models.language_model import LanguageModel
from mansu.models.swap import swapped
from mansu.quant import nf4


@dataclass(frozen=True)
class PackedTwin:
    """The NF4 version of named weights, kept as packed codes (0.56 bytes a weight).

    Attributes:
        tensors: The quantized weights by their state-dict names.
    """

    tensors: Mapping[str, nf4.Quantized]

    @classmethod
    def of(cls, weights: Mapping[str, Tensor]) -> "PackedTwin":
        """Quantizes the weights."""
        return cls({name: nf4.quantize(weight) for name, weight in weights.items()})

    def weights(self) -> dict[str, Tensor]:
        """Dequantized weights by name, in their original dtype."""
        return {name: nf4.dequantize(tensor) for name, tensor in self.tensors.items()}

    @property
    def bytes(self) -> int:
        """Size of the codes and scales in memory."""
        return sum(tensor.bytes for tensor in self.tensors.values())


def linear_weights(model: LanguageModel) -> dict[str, Tensor]:
    """The weights that deployment quantizes, by name; shares the model's storage."""
    names = model.family.linear_weight_names(model.module)
    return {name: model.module.get_parameter(name).data for name in names}


@contextmanager
def deployed(model: LanguageModel, twin: PackedTwin | None = None) -> Iterator[LanguageModel]:
    """The model as deployed, for the length of a ``with`` block.

    Args:
        model: The model; its own tensors return untouched afterwards.
        twin: Its quantized weights, where they are at hand; made on the spot otherwise.
    """
    twin = twin or PackedTwin.of(linear_weights(model))
    with swapped(model.module, twin.weights()):
        yield model


def load_real_4bit(folder: Path | str, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """Loads a saved model folder through transformers with real 4-bit layers.

    Args:
        folder: A folder with configuration and safetensors.
        dtype: Dtype of the other weights and of the arithmetic.
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
