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

Defaults but for the rate are ``simnpo``'s.

Ours: the history is first in, first out, holds this step's gradient too, lies in bfloat16, and is
whitened anew at each step by the v̂ of the step before (at the first step P = 1); no weight decay.
"""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from mansu.settings import Positive, Share, Whole, setting
from mansu.unlearn.load import descending
from mansu.unlearn.methods.base import Method
from mansu.unlearn.methods.simnpo import Settings as SimNPO
from mansu.unlearn.methods.simnpo import objective_of
from mansu.unlearn.settings import STRICT, own

if TYPE_CHECKING:
    from mansu.unlearn.task import Task, Update


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Settings(SimNPO):
    """GU's own settings; without a retain gradient there is nothing to protect."""

    learning_rate: Share = own("learning_rate", 1e-5)
    retain_weight: Positive = own("retain_weight", 1.0)
    history: Annotated[Whole, Field(ge=1, le=64)] = setting(
        8, "retain gradients, this step's too, that the forget gradient is projected off"
    )


def unlearn(task: "Task", settings: Settings) -> "Update":
    """Descends SimNPO's loss where the retain gradients do not point."""
    from mansu.unlearn.descent import descend
    from mansu.unlearn.rules.projection import Projection

    return descend(task, settings, objective_of(settings), rule=Projection(settings.history))


METHOD = Method(
    "gu",
    "GU + SimNPO",
    Settings,
    unlearn,
    load=descending(objective_of, lambda own, through: {"apart": True, "history": own.history}),
    colour="#0b6e4f",
)
