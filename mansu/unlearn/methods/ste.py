"""STE: every matrix trained through rounding to the target format, gradients passed straight on.

Source: the idea of DurableUn (arXiv 2605.02196), known here by its abstract only: a sharpness-aware
forgetting objective (DurableUn-SAF) with straight-through gradients through INT4 rounding, in the
space of adapters beside an NF4 model. The nearest published thing to this project's ``in_loop``
floor, without a circuit.

L(Q(θ)), Q rounding to the nearest level of the target format (block scales move with the weights),
∂Q/∂θ = 1; L is ascent or NPO beside KL or cross-entropy, compared with θ₀ in the same format.
Trained: all matrices of the blocks. Published settings: not in the abstract.

Ours: no adapters, and the project's own format in INT4's place; Q quantizes and dequantizes by the
library that deploys. The sharpness-aware part is left out: the abstract does not say how sharpness
is taken. Nothing keeps the full-precision model in step: the loss and the checks see the format
alone, while the weights that are kept are θ. A step costs one quantize and dequantize more. Of
several targets the loss is the mean over them.
"""

from typing import TYPE_CHECKING

from pydantic.dataclasses import dataclass

from mansu.settings import Share
from mansu.unlearn.contrast import Contrast, idle, objective_of
from mansu.unlearn.load import descending
from mansu.unlearn.methods.base import Method
from mansu.unlearn.settings import STRICT, own

if TYPE_CHECKING:
    from mansu.unlearn.task import Task, Update


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Settings(Contrast):
    """STE's own settings."""

    learning_rate: Share = own("learning_rate", 2e-5)


def unlearn(task: "Task", settings: Settings) -> "Update":
    """Descends the loss of the quantized model."""
    from mansu.unlearn.descent import descend
    from mansu.unlearn.straight_through import StraightThroughLatents

    latents = StraightThroughLatents(task.weights, *task.codebooks)
    return descend(task, settings, objective_of(settings), latents=latents)


METHOD = Method(
    "ste",
    "STE",
    Settings,
    unlearn,
    load=descending(objective_of, lambda own, through: {"rounds": True}),
    idle=idle,
    aims=True,
    colour="#e377c2",
)
