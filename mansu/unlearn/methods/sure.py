"""SURE: a large learning rate, on the rows alone that the forget loss depends on most.

Source: SURE, also called PTQ-LR. Rows of the weight matrices are salient where ‖∂L_f/∂row‖ is at
least the 90th percentile of all rows of all matrices; θ ← θ − η·m⊙∇(L_f + α·L_r) with a large η.
Trained: the salient rows of all matrices of the blocks.

Published: percentile 90, α 1, rates of 1e-5 and larger; L_f gradient ascent or NPO, L_r a KL.

Not inherited from public code: there the mask sits in a method that the trainer never calls and is
computed anew for each micro-batch, the forget gradient counts twice, the KL mixes probabilities
with their logarithms, and its "4 bits" are FP4, not NF4.

Ours: the mask is computed once, at θ₀, from the mean forget loss of at most ``mask_examples``
evenly spread examples (at θ₀ NPO's gradient is that of ascent, each answer weighted by its length);
steps are AdamW's, as in every method here; L_r is KL(p_θ₀ ‖ p_θ), or cross-entropy.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from mansu.settings import Count, Real, Share, setting
from mansu.unlearn.contrast import Contrast, idle, objective_of
from mansu.unlearn.load import descending
from mansu.unlearn.methods.base import Method
from mansu.unlearn.settings import STRICT, own

if TYPE_CHECKING:
    from mansu.unlearn.mask import Movable
    from mansu.unlearn.task import Task, Update


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Settings(Contrast):
    """SURE's own settings."""

    percentile: Annotated[Real, Field(ge=0, lt=100)] = setting(
        90.0, "of all rows' forget gradients, from which a row is salient"
    )
    mask_examples: Count = setting(128, "forget examples that the salient rows are found on")
    learning_rate: Share = own("learning_rate", 1e-4)


def movable(task: "Task", settings: Settings) -> "Movable":
    """The salient rows' weights."""
    from mansu.unlearn.salient import salient_rows

    objective = objective_of(settings)
    return salient_rows(task, objective, settings.percentile, settings.mask_examples)


def rows(settings: Settings, through: bool) -> Mapping[str, float]:
    """The salient rows: their share, and on how many examples they are found."""
    return {"share": 1 - settings.percentile / 100, "salient": settings.mask_examples}


def unlearn(task: "Task", settings: Settings) -> "Update":
    """Descends the loss on the salient rows."""
    from mansu.unlearn.descent import descend

    return descend(task, settings, objective_of(settings), movable(task, settings))


METHOD = Method(
    "sure",
    "SURE",
    Settings,
    unlearn,
    movable=movable,
    load=descending(objective_of, rows),
    idle=idle,
    colour="#b5651d",
)
