"""Diagonal Fisher information of some weights (phase 2); who may move by it is `mask.py`'s.

F_ii is the mean over examples of (∂ℓ/∂θ_i)², ℓ an example's mean answer loss [P]. The square is
taken per example, before the mean: per-example gradients of a linear layer are rebuilt one at a
time from its inputs and output gradients, so memory holds one gradient per matrix, never one per
example.

A diagonal takes at least 4 bytes a weight, and training has no use for it once the movable weights
are chosen: it is gathered on the model's device and kept in host memory.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from mansu.data.examples import Example
from mansu.models.batch import cuts
from mansu.models.targets import answer_targets
from mansu.unlearn.view import View


@dataclass(frozen=True)
class Fisher:
    """Diagonal Fisher information of some weights, by weight name, in host memory.

    Attributes:
        retain: On the retain set.
        forget: On the forget set.
    """

    retain: dict[str, torch.Tensor]
    forget: dict[str, torch.Tensor]


def diagonal_fisher(
    view: View,
    examples: Sequence[Example],
    weights: Mapping[str, torch.Tensor],
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, torch.Tensor]:
    """Diagonal Fisher of each weight, same shapes as ``weights``, in squared nats per weight².

    The result lies in host memory, whatever the model's device.

    Args:
        view: The model in full precision.
        examples: What the loss is taken on.
        weights: The circuit's original weights by name.
        progress: Called with (examples done, examples in all).
    """
    total = {
        name: torch.zeros_like(weight, dtype=torch.promote_types(weight.dtype, torch.float32))
        for name, weight in weights.items()
    }
    leaves = {name: weight.detach().requires_grad_() for name, weight in weights.items()}
    streams = view.streams([example.tokens for example in examples])
    for rows in cuts([len(example.tokens) for example in examples]):
        _add_squares(total, view, leaves, examples[rows], streams.lower[rows])
        if progress is not None:
            progress(rows.stop, len(examples))
    return {name: total.pop(name).div_(len(examples)).cpu() for name in list(total)}


def _add_squares(
    total: Mapping[str, torch.Tensor],
    view: View,
    leaves: Mapping[str, torch.Tensor],
    examples: Sequence[Example],
    lower: Sequence[torch.Tensor],
) -> None:
    """Adds one batch's squared per-example gradients to ``total``."""
    targets = answer_targets(
        [example.tokens for example in examples],
        [example.answer_start for example in examples],
        view.model.pad_id,
        view.model.device,
    )
    with _Recorder(view.modules(leaves)) as recorded:
        hidden = view.hidden(targets.batch, lower, leaves)
    log_probs = view.model.log_probs(hidden[targets.row, targets.position])
    picked = log_probs.gather(1, targets.token[:, None])[:, 0]
    # Rows do not touch each other, so one backward pass holds every example's gradients.
    loss = -targets.mean_per_row(picked).sum()
    names = list(leaves)
    gradients = torch.autograd.grad(loss, [recorded.outputs[name] for name in names])
    for name, gradient in zip(names, gradients, strict=True):
        for g, x in zip(gradient, recorded.inputs[name], strict=True):
            per_example = (g.T @ x).to(total[name].dtype)  # [out, in]
            total[name].addcmul_(per_example, per_example)


class _Recorder:
    """Keeps the input and output of linear modules while it is open."""

    def __init__(self, modules: Mapping[str, nn.Module]) -> None:
        self.inputs: dict[str, torch.Tensor] = {}
        self.outputs: dict[str, torch.Tensor] = {}
        self._modules = modules
        self._handles: list[torch.utils.hooks.RemovableHandle] = []

    def __enter__(self) -> "_Recorder":
        for name, module in self._modules.items():

            def keep(_module, arguments, output, name=name) -> None:
                self.inputs[name], self.outputs[name] = arguments[0].detach(), output

            self._handles.append(module.register_forward_hook(keep))
        return self

    def __exit__(self, *_error: object) -> None:
        for handle in self._handles:
            handle.remove()
