"""Proposition 3: what the diagonal of the Fisher information leaves out. [P]

The full form of an update, ΔᵀFΔ = mean over examples of (gᵢ·Δ)², needs no matrix: one number an
example. Against it stands the diagonal form Σ F_jj Δ_j². For a sample of weights the block of F is
computed outright. A block estimated from few examples has off-diagonal entries even where weights
have nothing to do with each other; how large, shows the same block with each weight's gradients
dealt to the examples anew [O].
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class FisherForms:
    """The Fisher form of one update, full and by the diagonal alone, in nats.

    Attributes:
        full: ΔᵀFΔ.
        diagonal: Σ F_jj Δ_j².
    """

    full: float
    diagonal: float

    @property
    def ratio(self) -> float | None:
        """Full over diagonal; 1 if the diagonal misses nothing, None if it is zero."""
        return self.full / self.diagonal if self.diagonal else None


@dataclass(frozen=True)
class FisherBlock:
    """The Fisher block of a random sample of weights.

    Attributes:
        weights: How many were drawn.
        examples: How many examples the block is a mean over.
        diagonal: Frobenius norm of the diagonal.
        off_diagonal: Frobenius norm of everything else.
        shuffled: The same, with each weight's gradients shuffled among the examples.
    """

    weights: int
    examples: int
    diagonal: float
    off_diagonal: float
    shuffled: float

    @property
    def ratio(self) -> float | None:
        """‖off-diagonal‖ over ‖diagonal‖; None if the diagonal is zero."""
        return self.off_diagonal / self.diagonal if self.diagonal else None

    @property
    def chance(self) -> float | None:
        """The ratio that unrelated weights would have."""
        return self.shuffled / self.diagonal if self.diagonal else None


def fisher_block(gradients: Tensor, generator: torch.Generator) -> FisherBlock:
    """The block of weights whose per-example gradients are given.

    Args:
        gradients: ``[examples, weights]``.
        generator: For the shuffle.
    """
    gradients = gradients.detach().cpu().double()
    examples, weights = gradients.shape
    diagonal = float(gradients.square().mean(0).norm())
    order = torch.rand(gradients.shape, generator=generator).argsort(0)
    norms = [_off_diagonal_norm(g) for g in (gradients, gradients.gather(0, order))]
    return FisherBlock(weights, examples, diagonal, *norms)


def _off_diagonal_norm(gradients: Tensor) -> float:
    block = gradients.T @ gradients / gradients.shape[0]  # [weights, weights]
    return float(block.fill_diagonal_(0).norm())
