"""What transformers leaves out as it reads a GGUF file: read from the header here, or refused.

Its reader (5.24) takes what it knows of a header and of the tensors, and passes over the rest: a
model would be built, and would be another one.
"""

from pathlib import Path

import numpy as np
import torch
from gguf import GGUFReader
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig, PreTrainedModel
from transformers.modeling_gguf_pytorch_utils import TensorProcessor, get_gguf_hf_weights_map

from mansu.errors import InputError
from mansu.models.families import family_of

# Keys of a header beneath its architecture, and the configuration's name of the same.
_ALSO = {
    "attention.key_length": "head_dim",
    "attn_logit_softcapping": "attn_logit_softcapping",
    "final_logit_softcapping": "final_logit_softcapping",
}


def read_gguf(file: Path) -> PreTrainedModel:
    """A GGUF file's model with its weights dequantized to float32.

    Raises:
        InputError: Its architecture is not supported, or it holds what would be passed over.
    """
    config = read_gguf_config(file)
    model, info = AutoModelForCausalLM.from_pretrained(  # pyright: ignore
        file.parent,
        gguf_file=file.name,
        config=config,
        dtype=torch.float32,
        output_loading_info=True,
    )
    known = get_gguf_hf_weights_map(model, TensorProcessor())
    for tensor in GGUFReader(file).tensors:
        if tensor.name not in known:
            raise InputError(
                f"{file} holds '{tensor.name}', for which a model of type '{config.model_type}' "
                "has no place here; give another file of the model."
            )
    if missing := sorted(info["missing_keys"]):
        raise InputError(f"{file} lacks the weights of {missing[0]}; give a whole file.")
    return model


def read_gguf_config(file: Path) -> PretrainedConfig:
    """The configuration in a GGUF file's header.

    Raises:
        InputError: Its architecture is not supported, or its positions are scaled.
    """
    config = AutoConfig.from_pretrained(file.parent, gguf_file=file.name)
    family_of(config)
    header = GGUFReader(file)
    architecture = _value(header, "general.architecture")
    for key, name in _ALSO.items():
        value = _value(header, f"{architecture}.{key}")
        if value is not None and hasattr(config, name):
            setattr(config, name, value)
    scaling = _value(header, f"{architecture}.rope.scaling.type")
    if scaling not in (None, "none"):
        raise InputError(
            f"{file} scales its rotary positions ('{scaling}'), which is not read from GGUF here; "
            "give the model as a folder of safetensors."
        )
    if architecture == "gemma3":  # llama.cpp scales by the heads' width, but for the largest
        wide = config.hidden_size // config.num_attention_heads
        config.query_pre_attn_scalar = wide if config.num_hidden_layers == 62 else config.head_dim
    return config


def _value(header: GGUFReader, key: str) -> object:
    """A header's value, or None where it has none."""
    field = header.get_field(key)
    value = None if field is None else field.contents()
    return value.item() if isinstance(value, np.generic) else value
