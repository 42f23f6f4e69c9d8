"""Random models of a few thousand weights, in double precision, and random pairs for them."""

import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import nn
from transformers import (
    AttentionInterface,
    AttentionMaskInterface,
    AutoConfig,
    AutoModelForCausalLM,
)
from transformers.masking_utils import eager_mask

from mansu.circuit import EdgeScores, Graph
from mansu.data.pairs import Pair
from mansu.models.families import family_of
from mansu.models.language_model import LanguageModel

VOCABULARY = 40
SHAPE: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 6,
    "vocab_size": VOCABULARY,
    "initializer_range": 0.4,
}
# Model type and what differs from the shape: biases and untied heads, q/k-norms, (1 + w) gains,
# post-norms, soft caps that bite, and windows shorter than the prompts.
WINDOW = {"query_pre_attn_scalar": 6, "sliding_window": 4}
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", {"tie_word_embeddings": True}),
    "llama-with-biases": ("llama", {"attention_bias": True, "mlp_bias": True}),
    "qwen2": ("qwen2", {"tie_word_embeddings": True}),
    "qwen3": ("qwen3", {}),
    "gemma": ("gemma", {}),
    "gemma2": (
        "gemma2",
        WINDOW | {"attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0},
    ),
    "gemma3": ("gemma3_text", WINDOW),
}


class ExactNorm(nn.Module):
    """RMSNorm in the dtype of its input; the library's own goes through float32."""

    def __init__(self, norm: Any, epsilon: float, offset: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty_like(norm.weight.data).uniform_(0.5, 1.5) - offset)
        self.epsilon, self.offset = epsilon, offset

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scale = torch.sqrt((x * x).mean(-1, keepdim=True) + self.epsilon)
        return x / scale * (self.weight + self.offset)


def exact_attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    softcap: float | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Soft-capped attention in the dtype of its input; the library's own goes through float32."""
    groups = query.shape[1] // key.shape[1]
    key, value = (t.repeat_interleave(groups, 1) for t in (key, value))
    weights = query @ key.transpose(2, 3) * scaling
    if softcap is not None:
        weights = softcap * torch.tanh(weights / softcap)
    if attention_mask is not None:
        weights = weights + attention_mask
    return (weights.softmax(-1) @ value).transpose(1, 2).contiguous(), None


AttentionInterface.register("exact", exact_attention)
AttentionMaskInterface.register("exact", eager_mask)


def make_model(kind: str = "llama", seed: int = 0, **shape: Any) -> LanguageModel:
    """A random frozen float64 model with exact norms."""
    torch.manual_seed(seed)
    model_type, differing = KINDS[kind]
    config = AutoConfig.for_model(model_type, **(SHAPE | differing | shape))
    attention = "exact" if kind == "gemma2" else "sdpa"
    module = AutoModelForCausalLM.from_config(config, attn_implementation=attention)
    family = family_of(config)
    module = module.double()
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if "RMSNorm" in type(child).__name__:
                norm = ExactNorm(child, module.config.rms_norm_eps, family.gain_offset)
                setattr(parent, name, norm)
    for name, parameter in module.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(parameter, std=0.3)
    tokenizer = cast(Any, SimpleNamespace(pad_token_id=0, padding_side="right"))
    return LanguageModel(kind, module.eval().requires_grad_(False), tokenizer, family, "none")


def make_pairs(lengths: tuple[int, ...] = (5, 3, 6), seed: int = 0) -> tuple[Pair, ...]:
    """Random pairs of the given lengths that share their last token."""
    draw = random.Random(seed)

    def tokens(count: int) -> tuple[int, ...]:
        return tuple(draw.randrange(1, VOCABULARY) for _ in range(count))

    pairs = []
    for number, length in enumerate(lengths):
        end, (answer, other) = tokens(1), draw.sample(range(1, VOCABULARY), 2)
        clean, corrupted = tokens(length - 1) + end, tokens(length - 1) + end
        pairs.append(Pair(str(number), "random", clean, corrupted, answer, other))
    return tuple(pairs)


def make_scores(mlp_scores: torch.Tensor) -> EdgeScores:
    """Edge scores into MLPs only, from each pair's ``[pairs, sources, layers]``."""
    pairs, sources, layers = mlp_scores.shape
    graph = Graph(layers, heads=1, kv_heads=1)
    assert sources == graph.sources
    scores = torch.zeros(graph.sources, graph.readers)
    scores[:, graph.mlp_readers] = mlp_scores.mean(0)
    return EdgeScores(graph, scores, mlp_scores, mlp_scores, torch.ones(pairs), torch.zeros(pairs))


@pytest.fixture
def build_model() -> Callable[..., LanguageModel]:
    """Builds a random model of one of `KINDS`."""
    return make_model


@pytest.fixture
def build_pairs() -> Callable[..., tuple[Pair, ...]]:
    """Builds random pairs of given lengths."""
    return make_pairs


@pytest.fixture
def build_scores() -> Callable[[torch.Tensor], EdgeScores]:
    """Builds edge scores from scores into MLPs."""
    return make_scores


@pytest.fixture(params=KINDS)
def model(request: pytest.FixtureRequest) -> LanguageModel:
    """One random model of every kind."""
    return make_model(request.param)


@pytest.fixture
def llama() -> LanguageModel:
    """A random Llama."""
    return make_model()


@pytest.fixture
def pairs() -> tuple[Pair, ...]:
    """Three pairs of unequal length."""
    return make_pairs()
