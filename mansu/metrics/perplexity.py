"""The loss on plain text, a utility measure that no multiple choice can hide."""

import math
from dataclasses import dataclass

import numpy as np
import torch

from mansu.errors import InputError, RunError
from mansu.models import LanguageModel, pad

WINDOW = 256
BATCH_WINDOWS = 4


@dataclass(frozen=True)
class TextLosses:
    """Next-token losses over consecutive windows of a text.

    Attributes:
        nats: Summed loss of each window, ``[windows]``.
        tokens: Predicted tokens of each, ``[windows]``.
    """

    nats: np.ndarray
    tokens: np.ndarray

    @property
    def mean(self) -> float:
        """Loss a token, in nats."""
        return float(self.nats.sum() / self.tokens.sum())

    @property
    def perplexity(self) -> float:
        """exp of the loss a token."""
        return math.exp(self.mean)


def window_length(model: LanguageModel) -> int:
    """Tokens of a window: 256, or as many as the model can read."""
    return min(WINDOW, model.context or WINDOW)


def text_losses(model: LanguageModel, text: str) -> TextLosses:
    """Loss of every window of a text (see :func:`window_length`).

    Args:
        model: The model as it is to be judged.
        text: Any text of at least two tokens.

    Raises:
        InputError: The text has fewer than two tokens, or one that the model does not know.
        RunError: The loss is not finite.
    """
    tokens, length = model.read(text), window_length(model)
    windows = [tokens[i : i + length] for i in range(0, len(tokens), length)]
    windows = [window for window in windows if len(window) > 1]
    if not windows:
        raise InputError("A text of at least two tokens is needed to measure perplexity.")
    nats: list[float] = []
    for start in range(0, len(windows), BATCH_WINDOWS):
        batch = pad(windows[start : start + BATCH_WINDOWS], model.pad_id, model.device)
        with torch.no_grad():
            log_probs = model.log_probs(model.hidden(batch)[:, :-1])  # [rows, length-1, vocabulary]
        picked = log_probs.gather(2, batch.input_ids[:, 1:, None])[..., 0].double()
        nats += (-picked * batch.attention_mask[:, 1:]).sum(1).tolist()
    if not all(map(math.isfinite, nats)):
        raise RunError(
            "The loss on plain text is not finite; choose dtype float32 if this is the original "
            "model, else a lower learning rate."
        )
    return TextLosses(np.array(nats), np.array([len(window) - 1 for window in windows]))
