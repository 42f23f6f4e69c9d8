"""Negative preference optimization (Zhang et al. 2024) on every matrix, beside a retain term.

L = -(2/β) log σ(-β [log p_θ - log p_θ₀]) + λ·KL(p_θ₀ ‖ p_θ on the retain set), log-probabilities
summed over the answer's tokens, as published (TOFU: β 0.1, rate 1e-5, 4 × 4 examples, 10 epochs,
λ 1). The retain term is a KL here, as in the project's own objective [O].
"""

from functools import partial
from typing import TYPE_CHECKING

from pydantic.dataclasses import dataclass

from mansu.settings import Positive, setting
from mansu.unlearn.load import descending
from mansu.unlearn.methods.base import Method
from mansu.unlearn.settings import STRICT, HeldDescent

if TYPE_CHECKING:
    from mansu.unlearn.said import Objective
    from mansu.unlearn.task import Task, Update


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Settings(HeldDescent):
    """NPO's own settings."""

    beta: Positive = setting(0.1, "NPO's inverse temperature")


def objective_of(settings: Settings) -> "Objective":
    """The loss."""
    from mansu.unlearn.objectives import kl, npo_sum
    from mansu.unlearn.said import Objective

    forget = partial(npo_sum, beta=settings.beta)
    return Objective(forget, kl, settings.retain_weight, compares=True)


def unlearn(task: "Task", settings: Settings) -> "Update":
    """Descends NPO's loss."""
    from mansu.unlearn.descent import descend

    return descend(task, settings, objective_of(settings))


METHOD = Method(
    "npo",
    "NPO",
    Settings,
    unlearn,
    load=descending(objective_of),
)
