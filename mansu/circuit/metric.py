"""The metric M: how much the last position prefers the clean answer to the corrupted one."""

from typing import Any

import torch

from mansu.circuit.prompts import Prompts, working
from mansu.models.language_model import LanguageModel


def last_position(hidden: torch.Tensor, prompts: Prompts) -> torch.Tensor:
    """The rows' last tokens, ``[rows, d]``, of a tensor ``[rows, positions, d]``.

    The rows are the prompts, repeated any number of times.
    """
    rows = torch.arange(hidden.shape[0], device=hidden.device)
    return hidden[rows, prompts.last.repeat(hidden.shape[0] // len(prompts))]


def logit_difference(
    model: LanguageModel, residual: torch.Tensor, prompts: Prompts
) -> torch.Tensor:
    """Logit of the clean answer's first token minus that of the corrupted answer's [P].

    Only the two rows of the output head that matter are used.

    Args:
        model: The model.
        residual: The residual stream in front of the final norm at the last position,
            ``[rows, d]``; the rows are the prompts, repeated any number of times.
        prompts: The prompts.

    Returns:
        ``[rows]``, in logits, at least float32.
    """
    head: Any = model.module.get_output_embeddings()
    weight = head.weight.detach()
    hidden = model.family.final_norm(model.module)(residual)
    kind = working(hidden)
    direction = weight[prompts.clean_answer].to(kind) - weight[prompts.corrupted_answer].to(kind)
    direction = direction.repeat(residual.shape[0] // len(prompts), 1)
    difference = torch.linalg.vecdot(hidden.to(kind), direction)
    if getattr(head, "bias", None) is not None:
        bias = head.bias.detach().to(kind)
        offset = bias[prompts.clean_answer] - bias[prompts.corrupted_answer]
        difference = difference + offset.repeat(residual.shape[0] // len(prompts))
    return difference
