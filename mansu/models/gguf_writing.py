"""A model as one GGUF file, for llama.cpp and what is built on it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gguf import MODEL_ARCH_NAMES, GGMLQuantizationType, GGUFWriter, get_tensor_name_map
from torch import Tensor
from transformers import AutoTokenizer, PretrainedConfig

from mansu.data.text import utility_text
from mansu.errors import InputError, quote
from mansu.models.gguf_reading import read_gguf_config
from mansu.models.gguf_tokenizer import add_tokenizer
from mansu.models.language_model import LanguageModel

# A weight's name and the weight, to its rows as they are stored and their type.
Store = Callable[[str, Tensor], tuple[np.ndarray, GGMLQuantizationType]]
# What a configuration says beside the model that is computed.
_BESIDE = (
    *("_name", "_model_name", "architectures", "dtype", "transformers", "_token_id"),
    *("initializer", "dropout", "use_cache"),
)


def write_gguf(file: Path, model: LanguageModel, store: Store, file_type: int) -> None:
    """Writes a model and its tokenizer, and refuses one that would be read as another.

    Args:
        file: Where to; it is left behind where the model is refused.
        model: The model, its weights as they are now.
        store: How each matrix is stored; norms and biases are kept in float32.
        file_type: What llama.cpp calls the whole; it is only shown.

    Raises:
        InputError: GGUF has no place for something of the model.
    """
    config = model.config
    architecture = config.model_type.removesuffix("_text")
    if architecture not in MODEL_ARCH_NAMES.values():
        raise _refused(model, f"an architecture '{config.model_type}'")
    writer = GGUFWriter(file, architecture)
    try:
        writer.add_name(Path(model.name).name)
        writer.add_file_type(file_type)
        writer.add_quantization_version(2)
        _add_shape(writer, config, model.family.head_size(config))
        add_tokenizer(writer, model.tokenizer, model.rows, model.name)
        for name, weight in _tensors(model, architecture):
            rows, kind = store(name, weight)
            writer.add_tensor(_own_name(model, architecture, name), rows, raw_dtype=kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()
    _require_same(model, file)


def _add_shape(writer: GGUFWriter, config: PretrainedConfig, head: int) -> None:
    """What a header says of a decoder's shape."""
    rope: Any = config.rope_parameters
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(rope.get("full_attention", rope)["rope_theta"])
    writer.add_rope_dimension_count(head)
    writer.add_vocab_size(config.vocab_size)
    if window := getattr(config, "sliding_window", None):
        writer.add_sliding_window(window)
    if cap := getattr(config, "attn_logit_softcapping", None):
        writer.add_attn_logit_softcapping(cap)
    if cap := getattr(config, "final_logit_softcapping", None):
        writer.add_final_logit_softcapping(cap)


def _tensors(model: LanguageModel, architecture: str) -> Iterator[tuple[str, Tensor]]:
    """The decoder's weights and the head's by name, as GGUF has them.

    That is, norms with their offset, and in Llama the rotary pairs of a head side by side.
    """
    weights = {f"model.{n}": w for n, w in model.module.get_decoder().named_parameters()}  # pyright: ignore
    if not model.config.tie_word_embeddings:
        weights["lm_head.weight"] = model.module.get_output_embeddings().weight  # pyright: ignore
    heads = {
        "q_proj": model.config.num_attention_heads,
        "k_proj": model.config.num_key_value_heads,
    }
    for name, weight in weights.items():
        weight = weight.detach()
        owner = name.split(".")[-2]
        if owner.endswith("norm"):
            weight = weight.float() + model.family.gain_offset
        elif architecture == "llama" and owner in heads:
            weight = weight.unflatten(0, (heads[owner], 2, -1)).transpose(1, 2).flatten(0, 2)
        yield name, weight


def _own_name(model: LanguageModel, architecture: str, name: str) -> str:
    """GGUF's name of a weight."""
    key = next(key for key, value in MODEL_ARCH_NAMES.items() if value == architecture)
    found = get_tensor_name_map(key, model.layers).get_name(name, (".weight", ".bias"))
    if found is None:
        raise _refused(model, f"a weight '{name}'")
    return found


def _require_same(model: LanguageModel, file: Path) -> None:
    """Refuses what the file does not say of the model; a reader would take its own defaults."""
    try:
        read = read_gguf_config(file).to_dict()
    except ValueError as error:  # an architecture that transformers does not read
        raise _refused(model, f"an architecture '{model.config.model_type}'") from error
    meant = model.config.to_dict()
    for name, value in read.items():
        if not any(beside in name for beside in _BESIDE) and not _alike(meant.get(name), value):
            raise _refused(model, f"{name} {quote(meant.get(name))}")
    theirs = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    text = utility_text()
    if theirs(text)["input_ids"] != model.tokenizer(text)["input_ids"]:
        raise _refused(model, "its tokenizer")


def _alike(ours: Any, theirs: Any) -> bool:
    """Equality, but for what float32 keeps of a number."""
    if isinstance(ours, float) and isinstance(theirs, int | float):
        return bool(torch.isclose(torch.tensor(ours), torch.tensor(float(theirs))))
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(_alike(ours[k], theirs[k]) for k in ours)
    return ours == theirs


def _refused(model: LanguageModel, what: str) -> InputError:
    return InputError(
        f"GGUF has no place for {what} of {model.name}; export a folder, without .gguf."
    )
