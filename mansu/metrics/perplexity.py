"""Perplexity on plain text, a utility measure that no multiple choice can hide."""

import math

import torch

from mansu.errors import InputError, RunError
from mansu.models import LanguageModel, pad

WINDOW = 256
BATCH_WINDOWS = 4


def window_length(model: LanguageModel) -> int:
    """Tokens of a window: 256, or as many as the model can read."""
    return min(WINDOW, model.context or WINDOW)


def perplexity(model: LanguageModel, text: str) -> float:
    """exp of the mean next-token loss over consecutive windows (see :func:`window_length`).

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
    total, count = 0.0, 0
    for start in range(0, len(windows), BATCH_WINDOWS):
        batch = pad(windows[start : start + BATCH_WINDOWS], model.pad_id, model.device)
        with torch.no_grad():
            log_probs = model.log_probs(model.hidden(batch)[:, :-1])  # [rows, length-1, vocabulary]
        picked = log_probs.gather(2, batch.input_ids[:, 1:, None])[..., 0]
        real = batch.attention_mask[:, 1:].bool()
        total -= picked[real].double().sum().item()
        count += int(real.sum())
    if not math.isfinite(total):
        raise RunError(
            "The loss on plain text is not finite; choose dtype float32 if this is the original "
            "model, else a lower learning rate."
        )
    return math.exp(total / count)
