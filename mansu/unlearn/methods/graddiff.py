"""Gradient difference (Liu et al. 2022; TOFU's baseline, Maini et al. 2024): up here, down there.

L = -CE(D_f) + α·CE(D_r), or α·KL(p_θ₀ ‖ p_θ on D_r) with ``retain_loss: kl``; every matrix.
Published on TOFU with α = 1, rate 1e-5, 10 epochs, which collapses a model's utility; the ascent
has no lower end. Public code takes CE as a mean over a batch's tokens, and where it masks no labels
over prompt and padding as well. Ours: the answer's tokens alone, a mean over each answer and then
over examples; a rate and a number of steps for a model of 135 M weights.
"""

from typing import TYPE_CHECKING

from pydantic.dataclasses import dataclass

from mansu.settings import Share, setting
from mansu.unlearn.load import descending
from mansu.unlearn.methods.base import Method
from mansu.unlearn.settings import STRICT, HeldDescent, RetainLoss, own

if TYPE_CHECKING:
    from mansu.unlearn.said import Objective
    from mansu.unlearn.task import Task, Update


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Settings(HeldDescent):
    """Gradient difference's own settings."""

    retain_loss: RetainLoss = setting("ce", "retain term: cross-entropy, or KL from θ₀")
    learning_rate: Share = own("learning_rate", 2e-5)


def objective_of(settings: Settings) -> "Objective":
    """The loss."""
    from mansu.unlearn.objectives import RETAIN, gradient_ascent
    from mansu.unlearn.said import Objective

    kind = settings.retain_loss
    compares = kind == "kl"
    return Objective(
        gradient_ascent, RETAIN[kind], settings.retain_weight, retain_compares=compares
    )


def unlearn(task: "Task", settings: Settings) -> "Update":
    """Descends the difference."""
    from mansu.unlearn.descent import descend

    return descend(task, settings, objective_of(settings))


METHOD = Method(
    "graddiff",
    "gradient difference",
    Settings,
    unlearn,
    load=descending(objective_of),
    colour="#009e73",
)
