"""A loaded language model together with what the rest of mansu asks of it."""

from dataclasses import dataclass

import torch
from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from mansu.models.batch import Batch
from mansu.models.families import Family


@dataclass(frozen=True)
class LanguageModel:
    """A causal language model, frozen, in evaluation mode.

    Attributes:
        name: What the user called it.
        module: The Hugging Face model; its parameters do not require gradients.
        tokenizer: Its tokenizer, with a padding token.
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
        """The padding token; masked out everywhere, so any token would do."""
        return self.tokenizer.pad_token_id  # pyright: ignore

    def hidden(self, batch: Batch) -> torch.Tensor:
        """Normalised final hidden states, ``[batch, length, width]``."""
        decoder = self.module.get_decoder()
        return decoder(**batch.inputs(), use_cache=False).last_hidden_state

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
