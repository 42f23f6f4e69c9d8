"""GU + SimNPO: SimNPO's forget gradient, projected off the retain gradients in Adam's metric.

Source: Geometric-disentanglement Unlearning (arXiv 2511.17100), its first form. The paper that this
project follows calls its baseline "GU" and cites "Huang et al. 2024". Name, SimNPO variant and the
WMDP-cyber benchmark match this source; by authors and year the citation also fits SFR-on (arXiv
2409.19732), whose ascent is masked by 1[F_f/F_r ≥ γ] and alternates with retain descent. It is not
certain which is meant.

L_forget = −(2/β) E log σ(β (NLL/|y| − γ)), L_retain = cross-entropy, both over answers (SimNPO, Fan
et al. 2024). With P = diag(1/(√v̂ + ε)), z = P^{1/2} g and Q an orthonormal basis of the whitened
retain gradients, AdamW gets P^{−1/2} (z_f − QQᵀz_f) for w·L_forget, and λ·L_retain's gradient as it
is. Trained: all matrices of the blocks.

Published: history of rank 8; SimNPO on TOFU with β 2.5 and w 0.1375 (forget05) or β 4.5 and w 0.125
(forget10), γ 0, λ 1, rate 1e-5, 10 epochs, weight decay 0.01; on WMDP β 0.1, λ 1, rate 9.5e-6.
Others differ: SimNPO's own model cards put γ outside of β, and its MUSE code takes logits of the
whole vocabulary. In July 2026 the authors replaced this form by ``gu-cone``.

Default is the WMDP form, β 0.1, w 1, λ 1: on answers of a word or two, TOFU's β 2.5 leaves next to
no pull on an answer of probability 0.3 (2σ(β log p) is 0.09), and w takes most of that.

Ours: the history is first in, first out, holds this step's gradient too, lies in bfloat16, and is
whitened anew at each step by the v̂ of the step before (at the first step P = 1); no weight decay.
"""

from functools import partial
from typing import TYPE_CHECKING, Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from mansu.settings import NonNegative, Positive, Whole, setting
from mansu.unlearn.methods.base import Method
from mansu.unlearn.settings import STRICT, HeldDescent, own

if TYPE_CHECKING:
    import torch

    from mansu.unlearn.said import Objective, Said
    from mansu.unlearn.task import Task, Update


@dataclass(frozen=True, kw_only=True, config=STRICT)
class SimNPO(HeldDescent):
    """SimNPO's settings; without a retain gradient there is nothing to protect."""

    beta: Positive = setting(0.1, "SimNPO's inverse temperature")
    gamma: NonNegative = setting(0.0, "nats per token that SimNPO's reward is shifted by")
    forget_weight: Positive = setting(1.0, "w, the weight of the forget term")
    retain_weight: Positive = own("retain_weight", 1.0)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Settings(SimNPO):
    """GU's own settings."""

    history: Annotated[Whole, Field(ge=1, le=64)] = setting(
        8, "retain gradients, this step's too, that the forget gradient is projected off"
    )


def objective_of(settings: SimNPO) -> "Objective":
    """SimNPO beside cross-entropy on the retain set."""
    from mansu.unlearn.objectives import cross_entropy, simnpo
    from mansu.unlearn.said import Objective

    term = partial(simnpo, beta=settings.beta, gamma=settings.gamma)

    def forget(said: "Said") -> "torch.Tensor":
        return settings.forget_weight * term(said)

    return Objective(forget, cross_entropy, settings.retain_weight, retain_compares=False)


def unlearn(task: "Task", settings: Settings) -> "Update":
    """Descends SimNPO's loss where the retain gradients do not point."""
    from mansu.unlearn.descent import descend
    from mansu.unlearn.rules.projection import Projection

    return descend(task, settings, objective_of(settings), rule=Projection(settings.history))


METHOD = Method("gu", "GU + SimNPO", Settings, unlearn, colour="#0b6e4f")
