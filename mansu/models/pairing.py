"""Two checkpoints of one architecture: whether they are, and what the second's weights are."""

from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, PretrainedConfig, PreTrainedModel

from mansu.errors import InputError
from mansu.models.adapter import (
    adapter_fingerprint,
    is_adapter,
    merge,
    require_base,
    require_mergeable,
)
from mansu.models.folder import read_config
from mansu.models.language_model import LanguageModel
from mansu.models.loading import find_model, fingerprint, load_module, load_tokenizer

# What people call architectures apart by; anything else is told by the first weight that differs.
_SAID = {
    "vocab_size": "a vocabulary of {:,} tokens",
    "num_hidden_layers": "{} decoder blocks",
    "hidden_size": "a width of {}",
}
_HEAD = "lm_head.weight"


def checkpoint_fingerprint(name: str) -> str:
    """SHA-256 over the files of a model or an adapter."""
    folder = find_model(name)
    return adapter_fingerprint(folder) if is_adapter(folder) else fingerprint(name)


def require_pair(original: str, other: str) -> None:
    """Refuses a checkpoint that cannot be an update of another; reads no weight.

    Args:
        original: The model before: see :func:`mansu.models.loading.find_model`.
        other: The model after: the same, or an adapter's folder.

    Raises:
        InputError: Another architecture or vocabulary, the same files, an adapter of another base.
    """
    folder = find_model(other)
    if is_adapter(folder):
        require_base(folder, original)
        require_mergeable(folder, _skeleton(_config(original)))
        return
    before, after = _config(original), _config(other)
    _require_same_shape(before, after, original, other)
    _require_same_tokens(original, other, folder)
    if fingerprint(original) == fingerprint(other):
        raise InputError(
            f"{other} holds the same files as {original}; give the model before and the one after."
        )


def read_weights(name: str, original: LanguageModel) -> dict[str, Tensor]:
    """A checkpoint's weights, by the original's names, on its device and in its dtype.

    Raises:
        InputError: It does not fit the original, or holds values that are not finite.
    """
    folder, like = find_model(name), original.module
    if is_adapter(folder):
        base = load_module(find_model(original.name), original.device, like.dtype)
        module = merge(folder, base)
    else:
        module = load_module(folder, original.device, like.dtype)
    weights = {}
    for weight, before in like.named_parameters():
        try:
            weights[weight] = after = module.get_parameter(weight).data
        except AttributeError as error:
            raise _lacks(name, weight, original.name) from error
        if after.shape != before.shape:
            raise InputError(
                f"{weight} is {tuple(after.shape)} in {name} and {tuple(before.shape)} in "
                f"{original.name}; give two checkpoints of one architecture."
            )
        if not after.isfinite().all():
            raise InputError(f"{weight} of {name} holds values that are not finite; save it again.")
    _require_tied_alike(module, weights, name)
    return weights


def _require_tied_alike(module: PreTrainedModel, weights: dict[str, Tensor], name: str) -> None:
    """Where the original's head is its embedding, so must the other's be, stored twice or not."""
    head, embedding = module.get_output_embeddings(), module.get_input_embeddings()
    if _HEAD not in weights and not torch.equal(head.weight, embedding.weight):  # pyright: ignore
        raise InputError(
            f"{name} has an output head of its own, and the original's is its embedding; give two "
            "checkpoints of one architecture."
        )


def _require_same_shape(
    before: PretrainedConfig, after: PretrainedConfig, original: str, other: str
) -> None:
    mine, theirs = before.get_text_config(), after.get_text_config()
    if mine.model_type != theirs.model_type:
        raise InputError(
            f"{other} is a model of type {theirs.model_type} and {original} of type "
            f"{mine.model_type}; give two checkpoints of one architecture."
        )
    for field, words in _SAID.items():
        was, now = getattr(mine, field), getattr(theirs, field)
        if was != now:
            raise InputError(
                f"{other} has {words.format(now)} and {original} {words.format(was)}; give two "
                "checkpoints of one architecture."
            )
    shapes = [_shapes(config) for config in (before, after)]
    for weight, shape in shapes[0].items():
        if weight == _HEAD:  # which may be tied in one and not in the other
            continue
        if weight not in shapes[1]:
            raise _lacks(other, weight, original)
        if shapes[1][weight] != shape:
            raise InputError(
                f"{weight} is {shapes[1][weight]} in {other} and {shape} in {original}; give two "
                "checkpoints of one architecture."
            )


def _config(name: str) -> PretrainedConfig:
    return read_config(find_model(name, weights=False))


def _shapes(config: PretrainedConfig) -> dict[str, tuple[int, ...]]:
    return {name: tuple(weight.shape) for name, weight in _skeleton(config).named_parameters()}


def _skeleton(config: PretrainedConfig) -> PreTrainedModel:
    """A model whose weights have shapes and no values."""
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config, trust_remote_code=False)


def _require_same_tokens(original: str, other: str, folder: Path) -> None:
    """Refuses a tokenizer that calls a token otherwise; one that has none is no fault."""
    if not any(folder.glob("tokenizer*")):
        return
    mine = load_tokenizer(find_model(original, weights=False)).get_vocab()
    theirs = load_tokenizer(folder).get_vocab()
    for token, number in mine.items():
        if theirs.get(token) != number:
            raise InputError(
                f"The tokenizer of {other} has {token!r} as {theirs.get(token, 'no token')} and "
                f"that of {original} as {number}; give two checkpoints of one vocabulary."
            )


def _lacks(name: str, weight: str, original: str) -> InputError:
    return InputError(
        f"{name} has no {weight}, which {original} has; give two checkpoints of one architecture."
    )
