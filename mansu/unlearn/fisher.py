"""Diagonal Fisher information of the circuit's weights, and who may move by it (phase 2).

F_ii is the mean over examples of (∂ℓ/∂θ_i)², ℓ an example's mean answer loss [P]. The square is
taken per example, before the mean: per-example gradients of a linear layer are rebuilt one at a
time from its inputs and output gradients, so memory holds one gradient per matrix, never one per
example.

A diagonal takes at least 4 bytes a weight, and training has no use for it once the movable weights
are chosen: it is gathered on the model's device and kept in host memory.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from mansu.data.examples import Example
from mansu.models.names import layer_of
from mansu.models.targets import answer_targets
from mansu.unlearn.view import BATCH_ROWS, View

NEGLIGIBLE = 0.01  # share of all movable weights below which a layer leaves the training


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
    for start in range(0, len(examples), BATCH_ROWS):
        rows = slice(start, start + BATCH_ROWS)
        _add_squares(total, view, leaves, examples[rows], streams.lower[rows])
        if progress is not None:
            progress(min(rows.stop, len(examples)), len(examples))
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


@dataclass(frozen=True)
class Movable:
    """The weights that training may move.

    Attributes:
        index: Flat indices into each matrix, ascending, by weight name; in host memory.
        threshold: The retain-Fisher percentile that cut the mask; infinite without one.
        left_out: Layers that left the training because they have hardly any of these weights.
    """

    index: dict[str, torch.Tensor]
    threshold: float
    left_out: tuple[int, ...] = ()

    @property
    def count(self) -> int:
        """How many weights may move."""
        return sum(index.numel() for index in self.index.values())


def all_movable(weights: Mapping[str, torch.Tensor]) -> Movable:
    """Every weight of the matrices: what a method without a mask trains."""
    index = {name: torch.arange(weight.numel()) for name, weight in weights.items()}
    return Movable(index, math.inf)


def retain_mask(
    retain: Mapping[str, torch.Tensor], tau: float, allowed: Mapping[str, torch.Tensor]
) -> Movable:
    """The diagonal-Fisher mask of phase 2: F_ii at most the τ-th quantile over the circuit [P].

    Args:
        retain: Retain Fisher by weight name.
        tau: Quantile in (0, 1]; 1 lets every weight move.
        allowed: Weights that may move at all (bool, same shapes), e.g. all but block maxima.
    """
    count = sum(fisher.numel() for fisher in retain.values())
    threshold = _smallest(retain.values(), max(1, round(tau * count)))
    index = {
        name: ((fisher <= threshold) & allowed[name]).flatten().nonzero()[:, 0]
        for name, fisher in retain.items()
    }
    return Movable(index, threshold)


def most_forgetful(
    mask: Movable,
    forget: Mapping[str, torch.Tensor],
    retain: Mapping[str, torch.Tensor],
    rho: float,
) -> Movable:
    """Keeps the share ρ of the mask with the largest forget/retain Fisher ratio [O]."""
    ratios = {
        name: forget[name].flatten()[index]
        / (retain[name].flatten()[index] + torch.finfo(retain[name].dtype).tiny)
        for name, index in mask.index.items()
    }
    if not mask.count:  # none to choose from
        return mask
    keep = max(1, round(rho * mask.count))
    cut = _smallest(ratios.values(), mask.count - keep + 1)
    index = {name: index[ratios[name] >= cut] for name, index in mask.index.items()}
    return Movable(index, mask.threshold)


def without_negligible(movable: Movable) -> Movable:
    """Leaves layers with less than 1 % of the movable weights out; their matrices have none then.

    They cost a step as much as any other, the lowest also all blocks between it and the next [O].
    """
    shares: dict[int, int] = {}
    for name, index in movable.index.items():
        shares[layer_of(name)] = shares.get(layer_of(name), 0) + index.numel()
    left = {layer for layer, n in shares.items() if n < NEGLIGIBLE * movable.count}
    if len(left) == len(shares):  # of very many layers, none is negligible
        return movable
    index = {n: i[:0] if layer_of(n) in left else i for n, i in movable.index.items()}
    return replace(movable, index=index, left_out=tuple(sorted(left)))


def _smallest(parts: Iterable[torch.Tensor], rank: int) -> float:
    """The value of that rank, counted from 1; holds one copy of the values and no indices."""
    every = torch.cat([part.flatten() for part in parts]).numpy()
    every.partition(rank - 1)
    return float(every[rank - 1])


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
