"""Lemma 1 and Proposition 2, weight by weight: who leaves its bin, and where the quantizer puts it.

Lemma 1 [P]: |Δᵢ| ≥ binᵢ ⇒ Q(θᵢ) ≠ Q(θ₀ᵢ). It is true only where the block's scale stays and the
weight is not an outermost one pushed outward; every exception is counted under its reason.

Proposition 2 [P]: an update that crosses two or more boundaries is amplified, |ΔQ| ≥ |Δ|; one that
crosses a single boundary is so in expectation, if it lands at the boundary.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from mansu.quant.codebook import BLOCK, Codebook

# x = w·(1/a) and the boundary are each off by a few float32 units in the last place.
_SLACK = 8 * torch.finfo(torch.float32).eps
_EXACTLY = 1e-6


@dataclass(frozen=True)
class Amplification:
    """Displacement before and after quantization, of the weights that crossed equally far.

    Attributes:
        boundaries: How many boundaries they crossed.
        weights: How many weights did.
        mean: Mean of |ΔQ|/|Δ|.
        median: Its median.
        amplified: Share with |ΔQ| ≥ |Δ|.
        ratio_of_means: Mean |ΔQ| over mean |Δ|.
    """

    boundaries: int
    weights: int
    mean: float
    median: float
    amplified: float
    ratio_of_means: float


@dataclass(frozen=True)
class Crossings:
    """Lemma 1 and Proposition 2 on one update.

    Attributes:
        changed: Weights with Δ ≠ 0.
        premise: Those with |Δ| at least their bin.
        crossed: Those of the premise whose code changed.
        outward: Exceptions: an outermost code pushed outward, where no boundary lies.
        moved: Exceptions: the block's scale moved.
        rounding: Exceptions: |Δ| is a bin up to float32 rounding, or the block's scale is too
            small for its levels to be told apart.
        unexplained: Exceptions for no such reason; each would refute the lemma.
        groups: Amplification by boundaries crossed, ascending; empty groups left out.
    """

    changed: int
    premise: int
    crossed: int
    outward: int
    moved: int
    rounding: int
    unexplained: int
    groups: tuple[Amplification, ...]

    @property
    def exceptions(self) -> int:
        """Weights of the premise whose code did not change."""
        return self.premise - self.crossed


def cross(
    originals: Mapping[str, Tensor], updated: Mapping[str, Tensor], codebook: Codebook
) -> Crossings:
    """Checks every changed weight.

    Args:
        originals: Matrices before unlearning, by name.
        updated: Matrices after it, same names, shapes and dtype.
        codebook: Whose bins they lie in.
    """
    counts = torch.zeros(7, dtype=torch.long)
    parts = []
    for name, before in originals.items():
        found, *moves = _cross_one(before.detach(), updated[name].detach(), codebook)
        counts += found
        parts.append(moves)
    crossed, delta, shift = (torch.cat(part) for part in zip(*parts, strict=True))
    groups = tuple(
        _amplification(int(n), delta[crossed == n], shift[crossed == n]) for n in crossed.unique()
    )
    changed, premise, over, outward, moved, rounding, unexplained = counts.tolist()
    return Crossings(changed, premise, over, outward, moved, rounding, unexplained, groups)


def _cross_one(
    before: Tensor, after: Tensor, codebook: Codebook
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Counts in the order of `Crossings`; boundaries crossed, |Δ| and |ΔQ| of changed weights."""
    old, new = codebook.quantize(before), codebook.quantize(after)
    dtype, before, after = before.dtype, before.reshape(-1), after.reshape(-1)
    index = (before != after).nonzero()[:, 0]
    delta = after[index].double() - before[index].double()  # exact: both are short floats
    old_codes, new_codes = codebook.unpack(old)[index], codebook.unpack(new)[index]
    block = index // BLOCK
    old_scale, new_scale = old.absmax[block], new.absmax[block]
    width = codebook.width(old_codes, old_scale).double()

    premise = delta.abs() >= width
    crossed = old_codes != new_codes
    left = premise & ~crossed
    reasons = (
        ((old_codes == 0) & (delta < 0)) | ((old_codes == codebook.size - 1) & (delta > 0)),
        old_scale != new_scale,
        (delta.abs() - width <= _SLACK * old_scale) | ~codebook.resolves(old_scale, dtype),
        torch.ones_like(left),
    )
    counts = [index.numel(), int(premise.sum()), int((premise & crossed).sum())]
    for reason in reasons:  # each exception counts once, under its first reason
        counts.append(int((left & reason).sum()))
        left = left & ~reason
    steps = (new_codes.int() - old_codes.int()).abs()
    shift = codebook.level(new_codes, new_scale).double()
    shift -= codebook.level(old_codes, old_scale).double()
    return torch.tensor(counts), steps.cpu(), delta.abs().cpu(), shift.abs().cpu()


def _amplification(boundaries: int, delta: Tensor, shift: Tensor) -> Amplification:
    ratio = shift / delta
    return Amplification(
        boundaries,
        ratio.numel(),
        float(ratio.mean()),
        float(ratio.median()),
        float((ratio >= 1 - _EXACTLY).double().mean()),
        float(shift.mean() / delta.mean()),
    )
