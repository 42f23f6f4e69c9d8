"""The largest eigenvalue of a symmetric matrix that is only known by its products (Lanczos 1950).

1. Start from a unit vector v₁, in part random.
2. w = A·vⱼ − βⱼ₋₁vⱼ₋₁; αⱼ = ⟨w, vⱼ⟩; w ← w − αⱼvⱼ; βⱼ = ‖w‖; vⱼ₊₁ = w/βⱼ.
3. The largest eigenvalue of the small tridiagonal matrix (α on, β beside the diagonal) is the Ritz
   value. It never exceeds λ_max by more than rounding.
4. How far λ_max may lie above it: vⱼ₊₁ = pⱼ(A)·v₁ are orthonormal, so a unit eigenvector of λ has a
   part c in v₁ only if c²·Σ pⱼ(λ)² ≤ 1 (Bessel's inequality). The random part makes c² larger than
   a known number, but for one start in 10,000, and beyond the Ritz value the pⱼ grow: the bound is
   where the sum has reached the number's inverse. It needs no gap in the spectrum, and no Ritz
   value that has converged to λ_max rather than to an eigenvalue below it. [O]

The two last vectors are held, and the product takes the memory of the older one. None is
orthogonalised again: rounding then repeats eigenvalues that are already found, which moves neither
end by more than rounding.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import torch

from mansu.errors import InputError, RunError
from mansu.theory.retain_loss import Vector, inner, norm

CHANCE = 1e-4  # of a start for which the upper bound does not hold


@dataclass(frozen=True)
class Eigenvalue:
    """The largest eigenvalue, from both sides.

    Attributes:
        value: The Ritz value; the eigenvalue is at least this.
        margin: The eigenvalue lies at most this far above, but for one start in 10,000.
        steps: Products that it took.
    """

    value: float
    margin: float
    steps: int

    @property
    def upper(self) -> float:
        """The eigenvalue is at most this: what a bound is computed with."""
        return self.value + self.margin


def largest_eigenvalue(
    product: Callable[[Vector, Vector | None], Vector],
    start: Vector,
    steps: int,
    tolerance: float,
    progress: Callable[[int, int], None] | None = None,
    generator: torch.Generator | None = None,
) -> Eigenvalue:
    """Encloses the largest (not the largest absolute) eigenvalue.

    Args:
        product: Multiplies its first argument by the matrix and adds the second, if there is one,
            whose memory it may use. The result is overwritten.
        start: Where to lean to; a random part as long is added. Not zero. Overwritten, because it
            may be as large as the model.
        steps: Products at most.
        tolerance: Stops once the margin is at most this share of the value.
        progress: Called with (steps done, steps at most).
        generator: Draws the random part; by default one with a fixed seed.

    Raises:
        InputError: The start is zero or not finite.
        RunError: A product is not finite.
    """
    current, least = _begin(start, generator or torch.Generator().manual_seed(0))
    rounding = max(torch.finfo(tensor.dtype).eps for tensor in current.values())
    previous: Vector | None = None
    diagonal: list[float] = []
    beside: list[float] = []
    value = margin = 0.0
    for step in range(1, steps + 1):
        next_ = product(current, previous)
        diagonal.append(inner(next_, current))
        for name, tensor in next_.items():
            tensor.sub_(current[name], alpha=diagonal[-1])
        left = norm(next_)
        if not np.isfinite(left):
            raise RunError("The curvature is not finite in this dtype; choose float32.")
        small = np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)
        value = float(np.linalg.eigvalsh(small)[-1])
        beside.append(left)
        # What is left is rounding: the space that the start reaches is exhausted.
        exhausted = left <= rounding * np.abs(small).max()
        margin = left if exhausted else _margin(value, diagonal, beside, 1 / least**2)
        if progress is not None:
            progress(step, steps)
        if exhausted or margin <= tolerance * abs(value):
            return Eigenvalue(value, margin, step)
        previous = {name: tensor.mul_(-left) for name, tensor in current.items()}
        current = {name: tensor.div_(left) for name, tensor in next_.items()}
    return Eigenvalue(value, margin, steps)


def _begin(start: Vector, generator: torch.Generator) -> tuple[Vector, float]:
    """The unit start, and the least part that it has of any one direction given beforehand."""
    length = norm(start)
    if not (np.isfinite(length) and length > 0):
        raise InputError("Lanczos cannot start from a zero or non-finite vector; give another.")
    spread = sum(tensor.numel() for tensor in start.values()) ** -0.5
    for tensor in start.values():
        noise = torch.randn(tensor.shape, generator=generator).to(tensor)
        tensor.div_(length).add_(noise, alpha=spread)
    length = norm(start)
    # A normal number of any mean is this close to 0 with probability CHANCE at most.
    least = NormalDist().inv_cdf((1 + CHANCE) / 2) * spread / length
    return {name: tensor.div_(length) for name, tensor in start.items()}, least


def _margin(value: float, diagonal: Sequence[float], beside: Sequence[float], most: float) -> float:
    """How far above the Ritz value Σ pⱼ² reaches ``most``."""

    def reached(x: float) -> bool:
        before, now, total = 0.0, 1.0, 1.0
        for alpha, below, above in zip(diagonal, (0.0, *beside), beside, strict=False):
            before, now = now, ((x - alpha) * now - below * before) / above
            total += now * now
            if total >= most:
                return True
        return False

    low, high = 0.0, beside[-1]
    while not reached(value + high):
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if reached(value + middle) else (middle, high)
    return high
