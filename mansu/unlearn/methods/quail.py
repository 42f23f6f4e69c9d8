"""QUAIL: gradient difference, and a hinge that keeps forget logits away from the original's.

Source: QUAIL: Quantization Aware Unlearning (arXiv 2601.15538), known here by its abstract only:
"for each forget example" a hinge loss in the space of logits forces the output logits "to differ
from the original model by at least a margin (half the quantization step)", on top of ascent and
descent on the retain set. Trained: all matrices of the blocks. Published settings: not in it.

The abstract fixes neither which logits, nor whose quantization step. Here, at each answer token y,
with logits z centred over the vocabulary (softmax does not see their mean; the centred ones follow
from log-probabilities):

    L = w·log p_θ(answer) + h·E max(0, Δ/2 − |z_θ(y) − z_θ₀(y)|) + λ·CE_r

and Δ the mean distance of neighbouring levels of the target format's codebook, scaled to θ₀'s
largest |logit| there: 2·max|z_θ₀|/(levels − 1). Of several targets the coarsest counts. A hinge
that is met pulls no more. All of this is ours, as are h 1 and w 1.
"""

from typing import TYPE_CHECKING

from pydantic.dataclasses import dataclass

from mansu.errors import InputError
from mansu.settings import NonNegative, Share, setting
from mansu.unlearn.load import Load
from mansu.unlearn.methods.base import Method
from mansu.unlearn.settings import STRICT, HeldDescent, own

if TYPE_CHECKING:
    import torch

    from mansu.unlearn.said import Said
    from mansu.unlearn.task import Task, Update


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Settings(HeldDescent):
    """QUAIL's own settings."""

    hinge_weight: NonNegative = setting(1.0, "h, the weight of the hinge")
    forget_weight: NonNegative = setting(1.0, "w, the weight of the ascent")
    learning_rate: Share = own("learning_rate", 1e-5)


def unlearn(task: "Task", settings: Settings) -> "Update":
    """Descends ascent, hinge and retain term together."""
    from mansu.unlearn.descent import descend
    from mansu.unlearn.hinge import logit_hinge
    from mansu.unlearn.objectives import cross_entropy, gradient_ascent
    from mansu.unlearn.said import Objective

    levels = min(codebook.size for codebook in task.codebooks)

    def forget(said: "Said") -> "torch.Tensor":
        hinge = settings.hinge_weight * logit_hinge(said, levels)
        return settings.forget_weight * gradient_ascent(said) + hinge

    weight = settings.retain_weight
    objective = Objective(forget, cross_entropy, weight, compares=True, retain_compares=False)
    return descend(task, settings, objective)


def refuse(model: str, settings: Settings) -> None:
    """Refuses a training that nothing asks to forget."""
    if not settings.forget_weight and not settings.hinge_weight:
        raise InputError(
            "forget_weight, hinge_weight: settings without effect: where both are 0, nothing asks "
            "the model to forget; raise one of them."
        )


METHOD = Method(
    "quail",
    "QUAIL",
    Settings,
    unlearn,
    refuse=refuse,
    load=lambda settings, through: Load(compares=True),
    aims=True,
    colour="#17becf",
)
