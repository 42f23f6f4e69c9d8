"""Surgical gradient ascent: up the answers' loss with three MLP output matrices alone [P].

L = log p_θ(answer). Trained: ``mlp.down_proj`` of blocks 14 to 16 of 32, elsewhere of those at the
same relative depth, one at least; found by name. The paper names these blocks; of rate and steps no
more is known to us than of global ascent (``ga``). Code that picks weights by their place in a
block's list of parameters trains another matrix where a family lists them in another order. Ours: a
larger rate, for far fewer weights move, and the checkpoint.
"""

from typing import TYPE_CHECKING

from pydantic.dataclasses import dataclass

from mansu.settings import Share
from mansu.unlearn.methods.base import Method, counterpart, down_projections
from mansu.unlearn.settings import STRICT, Descent, Steps, own

if TYPE_CHECKING:
    from mansu.unlearn.task import Task, Update

FIRST, LAST, OF = 14, 16, 32


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Settings(Descent):
    """Surgical gradient ascent's own settings."""

    learning_rate: Share = own("learning_rate", 1e-4)
    steps: Steps = own("steps", 40)


def blocks(layers: int) -> range:
    """The blocks whose matrix is trained."""
    return range(counterpart(FIRST, OF, layers), counterpart(LAST, OF, layers) + 1)


def unlearn(task: "Task", settings: Settings) -> "Update":
    """Steps up the loss of the forget set."""
    from mansu.unlearn.descent import descend
    from mansu.unlearn.objectives import gradient_ascent
    from mansu.unlearn.said import Objective

    return descend(task, settings, Objective(gradient_ascent))


SCOPE = down_projections("middle down_proj", blocks)
METHOD = Method(
    "surgical-ga",
    "surgical gradient ascent",
    Settings,
    unlearn,
    scope=lambda settings: SCOPE,
    colour="#e69f00",
)
