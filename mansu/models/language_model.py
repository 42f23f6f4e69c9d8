"""A loaded language model together with what the rest of mansu asks of it."""

from dataclasses import dataclass
from typing import Any

import torch
from transformers import (
    DynamicCache,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from mansu.data.encoding import token_ids
from mansu.errors import InputError
from mansu.models.batch import Batch
from mansu.models.families import Family


@dataclass(frozen=True)
class LanguageModel:
    """A causal language model, frozen, in evaluation mode.

    Attributes:
        name: What the user called it.
        module: The Hugging Face model; its parameters do not require gradients.
        tokenizer: Its tokenizer, as it was saved.
        family: The adapter for its architecture.
        fingerprint: SHA-256 over its configuration and weight files.
    """

    name: str
    module: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    family: Family
    fingerprint: str

    @property
    def config(self) -> PretrainedConfig:
        """Configuration of the decoder; a model that also reads images keeps it one level down."""
        return self.module.config.get_text_config()

    @property
    def device(self) -> torch.device:
        """Where the model's weights are."""
        return self.module.device

    @property
    def pad_id(self) -> int:
        """What fills a padded row; masked out everywhere, so a token that every model has."""
        return 0

    @property
    def rows(self) -> int:
        """How many tokens have an embedding; a tokenizer may have others."""
        return self.module.get_input_embeddings().weight.shape[0]  # pyright: ignore

    @property
    def context(self) -> int | None:
        """How many tokens it reads at most, with the same result however they are batched.

        Above their original context, models with ``longrope`` or ``dynamic`` rotary scaling turn
        every position otherwise; what they say then depends on what else was read.
        """
        limits = [getattr(self.config, "max_position_embeddings", None)]
        scaling: Any = getattr(self.config, "rope_parameters", None) or {}
        for kind in (scaling, *scaling.values()):  # one for all layers, or one a type of layer
            if isinstance(kind, dict) and kind.get("rope_type") == "longrope":
                limits.append(kind.get("original_max_position_embeddings"))
        return min((limit for limit in limits if limit is not None), default=None)

    def read(self, text: str) -> tuple[int, ...]:
        """The text's token ids.

        Raises:
            InputError: There are none, or the model has no embedding for one of them.
        """
        tokens = token_ids(self.tokenizer, text)
        if not tokens:
            raise InputError(f"The tokenizer of {self.name} finds no token in {text[:40]!r}.")
        if max(tokens) >= self.rows:
            raise InputError(
                f"The tokenizer of {self.name} gives token {max(tokens):,}, and the model has "
                f"embeddings for {self.rows:,}; restore the model's own tokenizer files."
            )
        return tokens

    def hidden(self, batch: Batch, cache: DynamicCache | None = None) -> torch.Tensor:
        """Normalised final hidden states, ``[batch, length, width]``.

        Args:
            batch: What to read.
            cache: Keys and values of what was read before, which the batch's mask covers too; those
                of the batch are added.
        """
        decoder = self.module.get_decoder()
        # By its place: transformers 5.24 renamed the keyword from ``past_key_values`` to ``cache``.
        given = (batch.input_ids, batch.attention_mask, batch.position_ids, cache)
        return decoder(*given, use_cache=cache is not None).last_hidden_state

    def log_probs(self, hidden: torch.Tensor) -> torch.Tensor:
        """Next-token log-probabilities of final hidden states, ``[…, vocabulary]``, float32+."""
        logits = self.family.logits(self.module, hidden)
        return logits.to(torch.promote_types(logits.dtype, torch.float32)).log_softmax(-1)

    @property
    def layers(self) -> int:
        """Number of decoder blocks."""
        return self.config.num_hidden_layers

    @property
    def weight_count(self) -> int:
        """Number of weights, tied ones counted once."""
        return sum(parameter.numel() for parameter in self.module.parameters())
