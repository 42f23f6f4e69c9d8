"""GU's projection: the forget gradient without its share in the span of retain gradients.

With z = P^{1/2} g and Q an orthonormal basis of the whitened retain gradients Z, the projection
z_f − QQᵀz_f is the residual of the least-squares fit of z_f by Z; written back as P^{−1/2} z it is
g_f − Σ_j c_j r_j, where the coefficients solve ⟨r_i, P r_j⟩ c_j = ⟨r_i, P g_f⟩. So neither Q nor a
whitened gradient is ever held.
"""

import torch

from mansu.unlearn.rule import Rule
from mansu.unlearn.rules.history import History, Metric, chunks, products

# Retain directions that differ from the others by less, as a share of their square, are none.
NEGLIGIBLE = 1e-6


class Projection(Rule):
    """Projects each step's forget gradient off the last retain gradients, this step's too.

    Args:
        size: How many retain gradients.
    """

    def __init__(self, size: int) -> None:
        self._history = History(size)

    def combine(
        self, forget: torch.Tensor, retain: torch.Tensor, optimizer: torch.optim.Optimizer
    ) -> torch.Tensor:
        """g_f⊥ + g_r; the forget gradient's memory is used for it."""
        self._history.add(retain)
        rows = self._history.rows
        # v̂ is the last step's: this step's would depend on what is sought.
        gram = products([*rows, forget], Metric(optimizer), torch.float32)
        share = fit(gram[:-1, :-1], gram[:-1, -1]).to(forget.dtype).tolist()
        for part in chunks(forget.numel()):
            for coefficient, row in zip(share, rows, strict=True):
                forget[part].sub_(row[part].to(forget.dtype), alpha=coefficient)
        return forget.add_(retain)

    def remembered(self) -> dict[str, torch.Tensor]:
        return self._history.remembered()

    def resume(self, beside: dict[str, torch.Tensor]) -> None:
        self._history.resume(beside)


def fit(gram: torch.Tensor, inner: torch.Tensor) -> torch.Tensor:
    """Least-squares coefficients of a vector by others, ``[rows]``.

    Args:
        gram: Inner products of the others, float64, ``[rows, rows]``; may be singular.
        inner: Theirs with the vector, ``[rows]``.
    """
    size = gram.diagonal().sqrt()
    size = torch.where(size > 0, size, 1.0)  # of no gradient, nothing is taken
    scaled = gram / size[:, None] / size
    inverse = torch.linalg.pinv(scaled, rtol=NEGLIGIBLE, hermitian=True)
    return inverse @ (inner / size) / size
