"""SimNPO (Fan et al. 2024): NPO by the answer's length, without a reference; every matrix.

L = w·[-(2/β) log σ(β (NLL/|y| - γ))] + λ·CE(D_r). Published: TOFU β 2.5 and w 0.1375 (forget05),
β 4.5 and w 0.125 (forget10), λ 1, rate 1e-5, 10 epochs; MUSE β 0.7 or 0.75, λ 0.1; WMDP β 0.1, λ 1,
rate 9.5e-6, at most 500 steps; γ 0 on TOFU. The paper writes β·NLL/|y| - γ and its code
β (NLL/|y| - γ); ours is the code's. The code for MUSE takes raw logits over the whole vocabulary in
the answer's place, and that for WMDP a mean over a batch's tokens: neither is done here. Ours: rate
and steps for a model of 135 M weights; no weight decay (published 0.01).

Defaults are the WMDP form's, β 0.1, w 1, λ 1: on answers of a word or two, TOFU's β 2.5 leaves next
to no pull on an answer of probability 0.3 (2σ(β log p) is 0.09), and w takes most of that.
"""

from typing import TYPE_CHECKING

from pydantic.dataclasses import dataclass

from mansu.settings import NonNegative, Positive, Share, setting
from mansu.unlearn.load import descending
from mansu.unlearn.methods.base import Method
from mansu.unlearn.settings import STRICT, HeldDescent, own

if TYPE_CHECKING:
    import torch

    from mansu.unlearn.said import Objective, Said
    from mansu.unlearn.task import Task, Update


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Settings(HeldDescent):
    """SimNPO's own settings."""

    beta: Positive = setting(0.1, "SimNPO's inverse temperature")
    forget_weight: Positive = setting(1.0, "w, the weight of the forget term")
    gamma: NonNegative = setting(0.0, "γ, nats per token above which the pull on an answer fades")
    learning_rate: Share = own("learning_rate", 5e-5)


def objective_of(settings: Settings) -> "Objective":
    """The loss."""
    from mansu.unlearn.objectives import cross_entropy, simnpo
    from mansu.unlearn.said import Objective

    def forget(said: "Said") -> "torch.Tensor":
        return settings.forget_weight * simnpo(said, settings.beta, settings.gamma)

    return Objective(forget, cross_entropy, settings.retain_weight, retain_compares=False)


def unlearn(task: "Task", settings: Settings) -> "Update":
    """Descends SimNPO's loss."""
    from mansu.unlearn.descent import descend

    return descend(task, settings, objective_of(settings))


METHOD = Method(
    "simnpo",
    "SimNPO",
    Settings,
    unlearn,
    load=descending(objective_of),
    colour="#d55e00",
)
