"""Proposition 1: a uniform update over many weights stays inside the bins of the quantizer. [R]

To second order, with the diagonal Fisher in place of the Hessian, k equal updates cost the retain
loss ½·k·F̄·Δ². At a budget of ε nats therefore |Δ| ≤ √(2ε/(k·F̄)), and a bin of width b is reached
only if k ≤ 2ε/(F̄·b²).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from mansu.quant.codebook import Codebook
from mansu.theory.survey import Index, pick, size


@dataclass(frozen=True)
class UniformCap:
    """How far a uniform update of one set of weights can go at a retain budget.

    Attributes:
        name: The set of weights.
        weights: k, how many it has; at least 1.
        fisher: F̄, mean diagonal retain Fisher over them, nats per weight².
        bin_width: Mean width of their NF4 bins.
        budget: ε, what the update may cost the retain loss, in nats.
    """

    name: str
    weights: int
    fisher: float
    bin_width: float
    budget: float

    @property
    def cap(self) -> float:
        """The largest |Δ| of a uniform update; infinite where the retain set is indifferent."""
        spread = self.weights * self.fisher
        return math.sqrt(2 * self.budget / spread) if spread > 0 else math.inf

    @property
    def most_weights(self) -> float:
        """The largest k at which a uniform update still reaches a bin."""
        cost = self.fisher * self.bin_width**2
        return 2 * self.budget / cost if cost > 0 else math.inf

    @property
    def bins(self) -> float:
        """The cap in bin widths."""
        return self.cap / self.bin_width if self.bin_width > 0 else math.inf

    @property
    def reaches(self) -> bool:
        """Whether a uniform update can leave the mean bin."""
        return self.weights <= self.most_weights


def uniform_caps(
    weights: Mapping[str, Tensor],
    sets: Mapping[str, Index],
    fisher: Mapping[str, float],
    budget: float,
    codebook: Codebook,
) -> tuple[UniformCap, ...]:
    """The cap of every set.

    Args:
        weights: The original matrices by name.
        sets: Sets of them; none is empty.
        fisher: Mean diagonal retain Fisher of each set, by the set's name.
        budget: ε, in nats.
        codebook: Whose bins an update has to leave.
    """
    total = dict.fromkeys(sets, 0.0)
    for name, weight in weights.items():  # matrix by matrix: the widths are as large as it is
        widths = {name: codebook.bin_widths(weight)}
        for label, index in sets.items():
            if name in index:
                part = pick(widths, {name: index[name]})[name]
                total[label] += float(part.sum(dtype=torch.float64))
    counts = {label: size(index, weights) for label, index in sets.items()}
    return tuple(
        UniformCap(label, counts[label], fisher[label], total[label] / counts[label], budget)
        for label in sets
    )
