"""What a format makes of an update: how much of it arrives, and how much noise comes with it. [O]

A code that does not change keeps nothing of its weight's update, and one that does moves a whole
step. Over many weights that is dithering: what is stored may add up to the update although hardly
any code changed. What a format adds on top is noise, which points nowhere.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Rounding:
    """The account of an update Δ = θ − θ₀ in a format Q, with ΔQ = Q(θ) − Q(θ₀).

    Attributes:
        changed: Weights with Δ ≠ 0.
        stored: Share of these whose stored value changed.
        signal: Σ sign(Δ)·ΔQ / Σ|Δ|, over these: 1 where the update arrives whole on average.
        noise: ‖ΔQ − Δ‖ / ‖Δ‖, over all weights: above 1 the rounding moves the model further than
            the update did.
    """

    changed: int
    stored: float | None
    signal: float | None
    noise: float | None


def account_rounding(weights: Iterable[tuple[Tensor, Tensor, Tensor, Tensor]]) -> Rounding:
    """Adds the account up, matrix by matrix.

    Args:
        weights: θ₀, θ, Q(θ₀) and Q(θ) of each matrix, of one shape.
    """
    changed = stored = 0
    arrived = sent = 0.0
    off = own = 0.0
    for before, after, kept, became in weights:
        update, moved = after.double() - before.double(), became.double() - kept.double()
        where = update != 0
        changed += int(where.sum())
        stored += int((moved[where] != 0).sum())
        arrived += float((update.sign() * moved)[where].sum())
        sent += float(update.abs().sum())
        off += float(((moved - update) ** 2).sum())
        own += float((update**2).sum())
    if not changed:
        return Rounding(0, None, None, None)
    return Rounding(changed, stored / changed, arrived / sent, (off / own) ** 0.5)
