"""A loaded language model together with what the rest of mansu asks of it."""

from dataclasses import dataclass

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
from mansu.models.folder import context_of


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
        """How many tokens it reads at most (:func:`mansu.models.folder.context_of`)."""
        return context_of(self.config)

    def read(self, text: str) -> tuple[int, ...]:
        """The text's token ids.

        Raises:
            InputError: There are none, or the model has no embedding for one of them.
        """
        return read_text(self.tokenizer, text, self.rows, self.name)

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


def read_text(
    tokenizer: PreTrainedTokenizerBase, text: str, rows: int, name: str
) -> tuple[int, ...]:
    """A text's token ids.

    Args:
        tokenizer: The model's tokenizer.
        text: The text.
        rows: How many tokens the model has an embedding for.
        name: What the user called the model.

    Raises:
        InputError: There are none, or the model has no embedding for one of them.
    """
    tokens = token_ids(tokenizer, text)
    if not tokens:
        raise InputError(f"The tokenizer of {name} finds no token in {text[:40]!r}.")
    if max(tokens) >= rows:
        raise InputError(
            f"The tokenizer of {name} gives token {max(tokens):,}, and the model has embeddings "
            f"for {rows:,}; restore the model's own tokenizer files."
        )
    return tokens
