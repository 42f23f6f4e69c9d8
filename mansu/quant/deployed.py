"""The deployed model: a model in the format in which it is released."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, PreTrainedModel

from mansu.models.language_model import LanguageModel
from mansu.models.names import find_layer
from mansu.quant.codebook import Codebook
from mansu.quant.formats import find_format


def linear_weights(model: LanguageModel) -> dict[str, Tensor]:
    """The weights that deployment quantizes, by name; shares the model's storage."""
    names = model.family.linear_weight_names(model.module)
    return {name: model.module.get_parameter(name).data for name in names}


def binned(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Those of some weights that lie in bins: a deployment quantizes the blocks' matrices."""
    return {
        name: weight
        for name, weight in weights.items()
        if weight.ndim == 2 and find_layer(name) is not None
    }


def deployed(
    model: LanguageModel, form: str = "nf4", calibration: str | None = None
) -> AbstractContextManager[LanguageModel]:
    """The model as deployed, for the length of a ``with`` block.

    Args:
        model: The model; its own tensors return untouched afterwards.
        form: A format's name; ``fp`` leaves the model as it is.
        calibration: The text that a calibrated format reads; None leaves it at the utility text.

    Raises:
        InputError: There is no such format, or the text is too short.
    """
    return find_format(form).deploy(model, calibration)


def load_real_4bit(folder: Path | str, dtype: torch.dtype, codebook: Codebook) -> PreTrainedModel:
    """Loads a saved model folder through transformers with real 4-bit layers.

    Args:
        folder: A folder with configuration and safetensors.
        dtype: Dtype of the other weights and of the arithmetic: that of the run, to be what was
            judged.
        codebook: The 4-bit type.
    """
    settings = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=codebook.name,
        bnb_4bit_use_double_quant=False,
        bnb_4bit_compute_dtype=dtype,
    )
    return AutoModelForCausalLM.from_pretrained(
        folder, quantization_config=settings, dtype=dtype, use_safetensors=True
    )
