"""What a model can read: tokens that it has an embedding for, and how many of them at a time."""

from typing import Any

from transformers import PretrainedConfig, PreTrainedTokenizerBase

from mansu.data.encoding import token_ids
from mansu.errors import InputError


def read_limits(name: str) -> tuple[int, int | None]:
    """A model's number of embeddings and its context, from its configuration alone.

    Args:
        name: See :func:`mansu.models.loading.find_model`.
    """
    from mansu.models.folder import read_config
    from mansu.models.loading import find_model

    config = read_config(find_model(name, weights=False))
    return config.get_text_config().vocab_size, context_of(config.get_text_config())


def context_of(config: PretrainedConfig) -> int | None:
    """How many tokens a decoder reads at most, with the same result however they are batched.

    Above their original context, models with ``longrope`` or ``dynamic`` rotary scaling turn every
    position otherwise; what they say then depends on what else was read.
    """
    limits = [getattr(config, "max_position_embeddings", None)]
    scaling: Any = getattr(config, "rope_parameters", None) or {}
    for kind in (scaling, *scaling.values()):  # one for all layers, or one a type of layer
        if isinstance(kind, dict) and kind.get("rope_type") == "longrope":
            limits.append(kind.get("original_max_position_embeddings"))
    return min((limit for limit in limits if limit is not None), default=None)


def read_text(tokenizer: PreTrainedTokenizerBase, text: str, rows: int) -> tuple[int, ...]:
    """A text's token ids.

    Raises:
        InputError: There are none, or the model has no embedding for one of them.
    """
    tokens = token_ids(tokenizer, text)
    if not tokens:
        raise InputError(f"The model's tokenizer finds no token in {text[:40]!r}.")
    if max(tokens) >= rows:
        raise InputError(
            f"The model's tokenizer gives token {max(tokens):,}, and the model has embeddings for "
            f"{rows:,}; restore the model's own tokenizer files."
        )
    return tokens
