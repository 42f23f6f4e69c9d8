"""The largest eigenvalue of a symmetric matrix that is only known by its products (Lanczos 1950).

1. Start from a unit vector v₁.
2. w = A·vⱼ − βⱼ₋₁vⱼ₋₁; αⱼ = ⟨w, vⱼ⟩; w ← w − αⱼvⱼ; βⱼ = ‖w‖; vⱼ₊₁ = w/βⱼ.
3. The largest eigenvalue of the small tridiagonal matrix (α on, β beside the diagonal) is the Ritz
   value; with s the last entry of its eigenvector, an eigenvalue of A lies within βⱼ|s| of it.

The two last vectors are held, and the product takes the memory of the older one. None is
orthogonalised again: rounding then repeats eigenvalues that are already found, which does not move
the largest. The Ritz value never exceeds the true one by more than rounding.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from mansu.errors import InputError
from mansu.theory.retain_loss import Vector, inner, norm


@dataclass(frozen=True)
class Eigenvalue:
    """An estimate of the largest eigenvalue.

    Attributes:
        value: The Ritz value; the true one is at least this.
        residual: An eigenvalue lies within this distance of ``value``.
        steps: Products that it took.
    """

    value: float
    residual: float
    steps: int

    @property
    def upper(self) -> float:
        """Ritz value plus residual: what a bound is computed with."""
        return self.value + self.residual


def largest_eigenvalue(
    product: Callable[[Vector, Vector | None], Vector],
    start: Vector,
    steps: int,
    tolerance: float,
    progress: Callable[[int, int], None] | None = None,
) -> Eigenvalue:
    """Estimates the largest (not the largest absolute) eigenvalue.

    Args:
        product: Multiplies its first argument by the matrix and adds the second, if there is one,
            whose memory it may use. The result is overwritten.
        start: Where to begin; not zero, and not orthogonal to what is sought. Overwritten, because
            it may be as large as the model.
        steps: Products at most.
        tolerance: Stops once the residual is at most this share of the value.
        progress: Called with (steps done, steps at most).

    Raises:
        InputError: The start is zero or not finite.
    """
    length = norm(start)
    if not (np.isfinite(length) and length > 0):
        raise InputError("Lanczos cannot start from a zero or non-finite vector; give another.")
    current = {name: tensor.div_(length) for name, tensor in start.items()}
    rounding = max(torch.finfo(tensor.dtype).eps for tensor in current.values())
    previous: Vector | None = None
    diagonal: list[float] = []
    beside: list[float] = []
    value = residual = 0.0
    for step in range(1, steps + 1):
        next_ = product(current, previous)
        diagonal.append(inner(next_, current))
        for name, tensor in next_.items():
            tensor.sub_(current[name], alpha=diagonal[-1])
        left = norm(next_)
        small = np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)
        values, vectors = np.linalg.eigh(small)
        value, residual = float(values[-1]), float(left * abs(vectors[-1, -1]))
        if progress is not None:
            progress(step, steps)
        # What is left is rounding: the space that the start reaches is exhausted.
        exhausted = left <= rounding * np.abs(small).max()
        if exhausted or residual <= tolerance * abs(value):
            return Eigenvalue(value, residual, step)
        beside.append(left)
        previous = {name: tensor.mul_(-left) for name, tensor in current.items()}
        current = {name: tensor.div_(left) for name, tensor in next_.items()}
    return Eigenvalue(value, residual, steps)
