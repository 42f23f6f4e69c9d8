"""The metric M: how much the last position prefers the clean answer to the corrupted one."""

from typing import Any

import torch

from mansu.circuit.prompts import Prompts, working
from mansu.models import LanguageModel
from mansu.models.families.base import cap_logits


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
    copies = residual.shape[0] // len(prompts)
    tokens = torch.stack([prompts.clean_answer, prompts.corrupted_answer], 1).repeat(copies, 1)
    logits = torch.einsum("rd,rad->ra", hidden.to(kind), weight[tokens].to(kind))  # [rows, 2]
    if getattr(head, "bias", None) is not None:
        logits = logits + head.bias.detach().to(kind)[tokens]
    clean, corrupted = cap_logits(model.module, logits).unbind(1)
    return clean - corrupted
