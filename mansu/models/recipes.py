"""The recipes of the tiny models: what they are, without the libraries that make them."""

from dataclasses import dataclass, field
from typing import Any

VOCABULARY = 1024
SETS = ("elements", "capitals", "cities")
SEED = 0
BATCH = 64
PAD, END = "<pad>", "<end>"
PAD_ID = 0

_SHAPE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "max_position_embeddings": 256,
    "tie_word_embeddings": True,
    "pad_token_id": PAD_ID,
    "bos_token_id": None,
    "eos_token_id": 1,
}


@dataclass(frozen=True)
class Recipe:
    """How a tiny model is made.

    Attributes:
        model_type: Its architecture.
        epochs: Passes over all sentences.
        learning_rate: Peak of the schedule.
        differing: What differs from the common shape.
    """

    model_type: str
    epochs: int
    learning_rate: float
    differing: dict[str, Any] = field(default_factory=dict)


TINY = {
    "tiny-llama": Recipe("llama", 24, 4e-3),
    "tiny-qwen3": Recipe("qwen3", 10, 5e-3, {"initializer_range": 0.08}),
    "tiny-gemma3": Recipe(
        "gemma3_text",
        8,
        8e-3,
        # Both kinds of attention; the window is shorter than most prompts, so that it matters.
        {
            "initializer_range": 0.05,
            "layer_types": ["sliding_attention", "full_attention"] * 2,
            "sliding_window": 8,
            "query_pre_attn_scalar": 32,
        },
    ),
}


def shape_of(name: str) -> dict[str, Any]:
    """A tiny model's configuration values."""
    return {**_SHAPE, **TINY[name].differing}
