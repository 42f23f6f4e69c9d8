"""GU's cone: the optimizer's own step, moved least so that no protected retain loss rises.

Of all steps d' with ⟨r_j, d'⟩ ≤ 0 for every protected retain gradient r_j, the one nearest to the
step d that AdamW made, in Adam's metric: it minimises ½‖d' − d‖² weighted by √v̂ + ε. By its
optimality (KKT) conditions d' = d − P Σ_j λ_j r_j with λ ≥ 0, ⟨r_j, d'⟩ ≤ 0 and
λ_j ⟨r_j, d'⟩ = 0. There are at most nine constraints, so every set of active ones can be tried.
"""

from itertools import chain, combinations

import torch

from mansu.unlearn.rule import Rule
from mansu.unlearn.rules.history import History, Metric, chunks, products

TOLERANCE = 1e-10  # of the conditions, as a share of the step's largest inner product


class Cone(Rule):
    """Corrects each step by the last retain gradients and this step's.

    Args:
        size: How many are remembered beside this step's, at most eight.
    """

    corrects = True

    def __init__(self, size: int) -> None:
        self._history = History(size)
        self._now = torch.empty(0)

    def combine(
        self, forget: torch.Tensor, retain: torch.Tensor, optimizer: torch.optim.Optimizer
    ) -> torch.Tensor:
        self._now = retain
        return forget + retain

    def correct(
        self, before: torch.Tensor, after: torch.Tensor, optimizer: torch.optim.Optimizer
    ) -> None:
        rows, metric = [*self._history.rows, self._now], Metric(optimizer)
        gram = products(rows, metric, torch.float64)
        inner = torch.zeros(len(rows), dtype=torch.float64, device=after.device)
        for part in chunks(after.numel()):
            step = after[part].double() - before[part].double()
            inner += torch.stack([row[part].double() @ step for row in rows])
        pull = multipliers(gram, inner).tolist()
        for part in chunks(after.numel()) if any(pull) else ():
            moved = sum(
                weight * row[part].double()
                for weight, row in zip(pull, rows, strict=True)
                if weight
            )
            after[part] = (after[part].double() - metric.of(part, torch.float64) * moved).float()
        self._history.add(self._now)

    def remembered(self) -> dict[str, torch.Tensor]:
        return self._history.remembered()

    def resume(self, beside: dict[str, torch.Tensor]) -> None:
        self._history.resume(beside)


def multipliers(gram: torch.Tensor, inner: torch.Tensor) -> torch.Tensor:
    """λ ≥ 0 with s = inner − gram·λ ≤ 0 and λ·s = 0, float64, ``[rows]``.

    Args:
        gram: ⟨r_i, P r_j⟩, float64, ``[rows, rows]``; may be singular.
        inner: ⟨r_j, d⟩, float64, ``[rows]``.
    """
    size = gram.diagonal().sqrt()
    size = torch.where(size > 0, size, 1.0)
    scaled, wanted = (gram / size[:, None] / size).cpu(), (inner / size).cpu()
    allowed = TOLERANCE * float(wanted.abs().max())
    found, least = torch.zeros_like(wanted), float("inf")
    every = range(len(wanted))
    # The fewest first. Some set of independent constraints fulfils the conditions.
    for active in chain.from_iterable(
        combinations(every, count) for count in range(len(every) + 1)
    ):
        tried, chosen = torch.zeros_like(wanted), list(active)
        inverse = torch.linalg.pinv(scaled[chosen][:, chosen], hermitian=True)
        tried[chosen] = inverse @ wanted[chosen]
        rising = wanted - scaled @ tried  # [rows]
        broken = torch.cat([-tried, rising, rising[chosen].abs()]).max().item()
        if broken < least:
            found, least = tried, broken
        if least <= allowed:
            break
    return (found.clamp(min=0) / size.cpu()).to(inner.device)
