"""Global gradient ascent: every matrix steps up the answers' loss, and nothing holds the rest.

L = log p_θ(answer). Published with learning rates of 1e-5 to 5e-5 and 150 steps; a model of 135 M
weights is unlearned, and damaged, within 20 [O].
"""

from typing import TYPE_CHECKING

from pydantic.dataclasses import dataclass

from mansu.settings import Share
from mansu.unlearn.methods.base import Method
from mansu.unlearn.settings import STRICT, Descent, Steps, own

if TYPE_CHECKING:
    from mansu.unlearn.task import Task, Update


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Settings(Descent):
    """Gradient ascent's own settings."""

    learning_rate: Share = own("learning_rate", 2e-5)
    steps: Steps = own("steps", 20)


def unlearn(task: "Task", settings: Settings) -> "Update":
    """Steps up the loss of the forget set."""
    from mansu.unlearn.descent import descend
    from mansu.unlearn.objectives import gradient_ascent
    from mansu.unlearn.said import Objective

    return descend(task, settings, Objective(gradient_ascent))


METHOD = Method("ga", "gradient ascent", Settings, unlearn)
