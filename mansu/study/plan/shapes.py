"""Sizes that follow from a model's configuration, and the bytes of what it computes.

Weights are counted on a model without memory (torch's meta device), so every family's layers are
its own. Activations are counted from the operations of a decoder block; each term says which.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from transformers import AutoModelForCausalLM, PretrainedConfig

from mansu.data.examples import Example
from mansu.metrics.membership import CHUNK
from mansu.models import LanguageModel
from mansu.models.families import family_of
from mansu.models.folder import read_config
from mansu.models.loading import find_model
from mansu.models.names import find_layer, layer_of, projection_of
from mansu.study.config import StudyConfig
from mansu.study.plan.workload import Scoring, Tails, find_tokenizer

# Matrices of a block that read the same.
_ENTRANCE = {"k_proj": "q_proj", "v_proj": "q_proj", "up_proj": "gate_proj"}


def meta_model(config: StudyConfig) -> LanguageModel:
    """The configuration's model with shapes and no weights.

    Raises:
        InputError: No such model, or an unsupported architecture.
    """
    folder = find_model(config.model, weights=False)
    settings = read_config(folder)
    with torch.device("meta"):
        module = AutoModelForCausalLM.from_config(settings, dtype=getattr(torch, config.dtype))
    vocabulary = settings.get_text_config().vocab_size
    tokenizer = find_tokenizer(folder, vocabulary)
    return LanguageModel(config.model, module.eval(), tokenizer, family_of(settings), "")


@dataclass(frozen=True)
class Shapes:
    """Sizes of one model.

    Attributes:
        model: The model without weights.
        trained: Names of the weights that the method trains.
    """

    model: LanguageModel
    trained: tuple[str, ...]

    @property
    def _config(self) -> PretrainedConfig:
        return self.model.config

    @property
    def item(self) -> int:
        """Bytes of a number in the model's dtype."""
        return self.model.module.dtype.itemsize

    @property
    def wide(self) -> int:
        """Bytes of a number where sums are kept: float32, or float64 for a float64 model."""
        return max(4, self.item)

    @property
    def width(self) -> int:
        """Width of the residual stream."""
        return self._config.hidden_size

    @property
    def inner(self) -> int:
        """Inner width of an MLP."""
        return self._config.intermediate_size

    @property
    def query(self) -> int:
        """Width of all query heads together."""
        return self._config.num_attention_heads * self.model.family.head_size(self._config)

    @property
    def shared(self) -> int:
        """Width of all key heads together, and of all value heads."""
        return self._config.num_key_value_heads * self.model.family.head_size(self._config)

    @cached_property
    def weights(self) -> int:
        """Bytes of all weights, tied ones once."""
        return sum(p.nbytes for p in self.model.module.parameters())

    @cached_property
    def linear(self) -> dict[str, int]:
        """Bytes of each weight that deployment quantizes, by name."""
        names = self.model.family.linear_weight_names(self.model.module)
        return {name: self.model.module.get_parameter(name).nbytes for name in names}

    @cached_property
    def layers(self) -> tuple[int, ...]:
        """Layers that hold trained weights, ascending."""
        found = {find_layer(name) for name in self.trained}
        return tuple(sorted(layer for layer in found if layer is not None))

    @cached_property
    def inside(self) -> dict[int, set[str]]:
        """Which matrices of each of those layers are trained, as ``gate_proj``."""
        kinds = {layer: set[str]() for layer in self.layers}
        for name in self.trained:
            layer, kind = find_layer(name), projection_of(name)
            if layer is not None and kind is not None:
                kinds[layer].add(kind)
        return kinds

    @cached_property
    def sizes(self) -> dict[str, tuple[int, ...]]:
        """Sizes of the trained weights by name, as of a tensor."""
        get = self.model.module.get_parameter
        return {name: tuple(get(name).shape) for name in self.trained}

    @cached_property
    def matrices(self) -> list[int]:
        """Numbers of weights of the trained matrices."""
        return [math.prod(size) for size in self.sizes.values()]

    @property
    def count(self) -> int:
        """Number of the trained matrices' weights."""
        return sum(self.matrices)

    def numbers_in(self, layer: int) -> int:
        """Of those, what is in one layer."""
        return sum(math.prod(s) for name, s in self.sizes.items() if find_layer(name) == layer)

    @property
    def above(self) -> int:
        """Bytes of the quantized weights from the lowest trained layer up, that are not trained."""
        low = self.layers[0]
        upper = [
            n for name, n in self.linear.items() if layer_of(name) >= low and name not in self.sizes
        ]
        return sum(upper)

    @property
    def quantizing(self) -> int:
        """Bytes beside the weights while one is quantized and another takes its place.

        The codes at half a byte, a scale of 4 bytes for 64 weights, and the new weight.
        """
        largest = max(self.linear.values())
        return largest + largest // self.item // 2 + largest // self.item // 16

    def block(self, tokens: int) -> int:
        """A decoder block without gradients, at its MLP.

        The embeddings and where they stand (a cosine and a sine), the stream before and behind
        attention, and the norm's output; gate, up and their product.
        """
        head = self.model.family.head_size(self._config)
        return tokens * (4 * self.width + 2 * head + 3 * self.inner) * self.item

    def saved(self, layer: int, tokens: int) -> int:
        """What autograd keeps of one block; before the lowest trained matrix it keeps nothing."""
        trained = self.inside.get(layer, set())
        lowest = layer == self.layers[0]
        inputs, into_mlp = trained - {"down_proj"}, trained & {"gate_proj", "up_proj"}
        # The MLP: gate, its activation and up; for gradients of its matrices also their inputs.
        kept = 3 * self.inner if not lowest or inputs else 0
        kept += self.width if into_mlp else 0
        kept += self.inner if "down_proj" in trained else 0
        if lowest and not inputs - into_mlp:
            return tokens * (kept * self.item + self._norms(layer, behind_mlp_only=True))
        # Attention: rotated q, its output, and k and v repeated for every query head.
        kept += 4 * self.query
        kept += self.width if trained & {"q_proj", "k_proj", "v_proj"} else 0
        kept += self.query if "o_proj" in trained else 0
        return tokens * (kept * self.item + self._norms(layer))

    def recorded(self, layer: int, tokens: int) -> tuple[int, int]:
        """What enters the trained matrices of a block, once where several share it, and leaves."""
        entering, leaving = dict[str, int](), 0
        for kind in self.inside[layer]:
            into, out = self._sides[kind]
            entering[_ENTRANCE.get(kind, kind)] = into
            leaving += out
        return tokens * sum(entering.values()) * self.item, tokens * leaving * self.item

    @property
    def _sides(self) -> dict[str, tuple[int, int]]:
        """Widths of what enters and leaves each of a block's matrices."""
        width, inner, query, shared = self.width, self.inner, self.query, self.shared
        return {
            "q_proj": (width, query),
            "k_proj": (width, shared),
            "v_proj": (width, shared),
            "o_proj": (query, width),
            "gate_proj": (width, inner),
            "up_proj": (width, inner),
            "down_proj": (inner, width),
        }

    def streams(self, examples: Sequence[Example]) -> int:
        """The residual stream at some place, at all tokens of the examples."""
        return sum(len(e.tokens) for e in examples) * self.width * self.item

    def saved_in_all(self, tokens: int, last: int) -> int:
        """What autograd keeps of the blocks from the lowest trained one to a last one."""
        return sum(self.saved(layer, tokens) for layer in range(self.layers[0], last + 1))

    def _norms(self, layer: int, behind_mlp_only: bool = False) -> int:
        """Inputs of a block's norms, a token; norms work in float32 or above."""
        family = self.model.family
        behind = self.width * self.wide if family.mlp_post_norm else 0
        if behind_mlp_only:
            return behind
        before = (3 if family.attention_post_norm else 2) * self.width * self.wide
        attention: Any = family.blocks(self.model.module)[layer].self_attn
        inside = self.query + self.shared if hasattr(attention, "q_norm") else 0
        return before + behind + inside * self.wide

    def passing(self, tokens: int) -> int:
        """Gradients on their way back through one block, at its MLP.

        At the stream and beside it, at the activation and at the product in front of it.
        """
        return tokens * 2 * (self.width + self.inner) * self.item

    def log_probs(self, rows: int) -> int:
        """Logits, and log-probabilities in float32 or above, of some positions."""
        vocabulary = self._config.vocab_size
        cast = self.wide if self.wide != self.item else 0
        return rows * vocabulary * (self.item + cast + self.wide)

    def kept_log_probs(self, rows: int) -> int:
        """Log-probabilities alone."""
        return rows * self._config.vocab_size * self.wide

    def scoring(self, batch: Scoring) -> int:
        """One batch of multiple-choice scoring: the largest of its parts.

        First the prompts; then the tails, group by group: each has a copy of its prompt's keys and
        values, and all groups but the last leave the prompts' own as they are.
        """
        held = batch.read * self.width * self.item + self.kept_log_probs(batch.prompts)
        own = batch.prompts * batch.length * self._cached
        parts = [self._reading(batch)]
        for tails in batch.tails:
            kept = held + (0 if tails is batch.tails[-1] else own)
            parts.append(kept + self._continuing(batch.length, tails))
        return max(parts)

    def _continuing(self, length: int, tails: Tails) -> int:
        read, cached = tails.count * tails.length, tails.count * (length + tails.length)
        # Attention: k and v repeated for every query head; its query and output, and the
        # embeddings, the stream and the norm's output.
        attention = 2 * cached * self.query + read * (3 * self.width + 2 * self.query)
        most = max(self.block(read), attention * self.item, self.log_probs(tails.tokens))
        return cached * self._cached + most

    def kept_streams(self, batch: Scoring) -> int:
        """What enters the lowest trained block while a batch is scored, kept for the next check."""
        tokens = batch.shared + batch.read + sum(t.count * t.length for t in batch.tails)
        # Beside the stream, each token's id, mask and position.
        return tokens * (self.width * self.item + 3 * 8)

    def speech(self, batch: Scoring, templates: int) -> int:
        """Prompts that are gone on with, token by token, and the means over each template's.

        Behind the prompts, their log-probabilities and those of the token before are still there.
        """
        then = batch.prompts * (batch.length + batch.new) * self._cached
        then += 2 * self.kept_log_probs(batch.prompts) + self.log_probs(batch.prompts)
        means = templates * self._config.vocab_size * 8  # in float64
        return means + max(self._reading(batch), then)

    def _reading(self, batch: Scoring) -> int:
        """A batch's prompts: their keys and values, a block, or the log-probabilities behind."""
        hidden = batch.read * self.width * self.item
        most = max(self.block(batch.read), hidden + self.log_probs(batch.prompts))
        return batch.prompts * batch.length * self._cached + most

    @property
    def _cached(self) -> int:
        """Keys and values of one token."""
        return 2 * self.shared * self.model.layers * self.item

    def reading(self, length: int) -> int:
        """One text of so many tokens, whose next tokens are looked up in chunks."""
        hidden = length * self.width * self.item
        return max(self.block(length), hidden + self.log_probs(min(length, CHUNK)))

    def perplexity(self, rows: int, length: int, batches: int) -> int:
        """One batch of perplexity; the log-probabilities of the one before still wait to go."""
        tokens = rows * length
        before = self.kept_log_probs(tokens) if batches > 1 else 0
        hidden = tokens * self.width * self.item
        return before + max(self.block(tokens), hidden + self.log_probs(tokens))
