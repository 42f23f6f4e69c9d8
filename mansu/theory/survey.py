"""One pass over the examples' gradients at θ₀, from which most of the guarantees are read.

A gradient over all linear weights is as large as the model, so one is held at a time, and whatever
needs it is taken while it is there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from mansu.theory.off_diagonal import FisherBlock, FisherForms, fisher_block
from mansu.theory.retain_loss import RetainLoss, Vector, inner, norm

# A set of weights: flat indices by weight name; None stands for all of a matrix.
Index = Mapping[str, Tensor | None]


@dataclass(frozen=True)
class Survey:
    """What the gradients tell.

    Attributes:
        fisher: Mean diagonal Fisher over each set, by the set's name.
        slopes: g·Δ of each update, by the update's name.
        forms: The Fisher forms of each update.
        block: The Fisher block of the sampled weights.
    """

    fisher: dict[str, float]
    slopes: dict[str, float]
    forms: dict[str, FisherForms]
    block: FisherBlock


def survey(
    loss: RetainLoss,
    sets: Mapping[str, Index],
    updates: Mapping[str, Mapping[str, Tensor]],
    sample: Mapping[str, Tensor],
    generator: torch.Generator,
    progress: Callable[[int, int], None] | None = None,
) -> Survey:
    """Takes the pass.

    Args:
        loss: The retain loss in all linear weights.
        sets: Sets of weights; none is empty.
        updates: Δ of each update by weight name.
        sample: Weights whose Fisher block is computed, as flat indices by weight name.
        generator: For the block's shuffle.
        progress: Called with (examples done, examples in all).
    """
    squares = dict.fromkeys(sets, 0.0)
    along = {name: torch.zeros(len(loss.examples), dtype=torch.float64) for name in updates}
    diagonal = dict.fromkeys(updates, 0.0)
    entries = []
    for done, gradient in enumerate(loss.gradients()):
        for name, index in sets.items():
            squares[name] += norm(pick(gradient, index)) ** 2
        for name, delta in updates.items():
            along[name][done] = inner(delta, gradient)
            pushes = {weight: gradient[weight] * part for weight, part in delta.items()}
            diagonal[name] += norm(pushes) ** 2
        entries.append(torch.cat([part.cpu() for part in pick(gradient, sample).values()]))
        if progress is not None:
            progress(done + 1, len(loss.examples))
    count = len(loss.examples)
    weights = {name: loss.model.module.get_parameter(name) for name in loss.names}
    return Survey(
        {name: squares[name] / count / size(index, weights) for name, index in sets.items()},
        {name: float(values.mean()) for name, values in along.items()},
        {
            name: FisherForms(float(values.square().mean()), diagonal[name] / count)
            for name, values in along.items()
        },
        fisher_block(torch.stack(entries), generator),
    )


def draw_sample(
    index: Index, weights: Mapping[str, Tensor], count: int, generator: torch.Generator
) -> Vector:
    """Flat indices of a random sample of a set of weights; all of it where it has no more."""
    drawn = torch.randperm(size(index, weights), generator=generator)[:count].sort().values
    found, start = {}, 0
    for name, part in index.items():
        end = start + (weights[name] if part is None else part).numel()
        inside = drawn[(drawn >= start) & (drawn < end)] - start
        found[name] = inside if part is None else part.cpu()[inside]
        start = end
    return found


def pick(weights: Mapping[str, Tensor], index: Index) -> Vector:
    """A set's entries of named matrices, flat, by name."""
    return {
        name: weights[name].flatten()
        if part is None
        else weights[name].flatten()[part.to(weights[name].device)]
        for name, part in index.items()
    }


def size(index: Index, weights: Mapping[str, Tensor]) -> int:
    """How many weights a set has."""
    return sum((weights[n] if part is None else part).numel() for n, part in index.items())
