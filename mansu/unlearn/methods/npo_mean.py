"""NPO over mean log-probabilities, the form that is published for WMDP; every matrix.

L = -(2/β) log σ(β [NLL_θ - NLL_θ₀]) + λ·CE(D_r), NLL a mean over tokens where NPO (``npo``) sums.
Published beside SimNPO (Fan et al. 2024) with β 0.0225, λ 1, rate 5e-6, at most 500 steps of one
sequence. Its code takes the mean over all tokens of a batch; with one sequence a batch that is the
mean over the sequence. Ours: the answer's tokens alone, then a mean over examples; rate and steps
for a model of 135 M weights. ``retain_loss: kl`` holds the retain set by KL(p_θ₀ ‖ p_θ) instead.
"""

from functools import partial
from typing import TYPE_CHECKING

from pydantic.dataclasses import dataclass

from mansu.settings import Positive, Share, setting
from mansu.unlearn.load import descending
from mansu.unlearn.methods.base import Method
from mansu.unlearn.settings import STRICT, HeldDescent, RetainLoss, own

if TYPE_CHECKING:
    from mansu.unlearn.said import Objective
    from mansu.unlearn.task import Task, Update


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Settings(HeldDescent):
    """The mean form's own settings."""

    beta: Positive = setting(0.0225, "NPO's inverse temperature")
    retain_loss: RetainLoss = setting("ce", "retain term: cross-entropy, or KL from θ₀")
    learning_rate: Share = own("learning_rate", 2e-5)


def objective_of(settings: Settings) -> "Objective":
    """The loss."""
    from mansu.unlearn.objectives import RETAIN, npo
    from mansu.unlearn.said import Objective

    return Objective(
        partial(npo, beta=settings.beta),
        RETAIN[settings.retain_loss],
        settings.retain_weight,
        compares=True,
        retain_compares=settings.retain_loss == "kl",
    )


def unlearn(task: "Task", settings: Settings) -> "Update":
    """Descends the mean form of NPO's loss."""
    from mansu.unlearn.descent import descend

    return descend(task, settings, objective_of(settings))


METHOD = Method(
    "npo-mean",
    "NPO (mean)",
    Settings,
    unlearn,
    load=descending(objective_of),
    colour="#0072b2",
)
