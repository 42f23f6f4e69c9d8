"""The loss that several methods only step differently: ascent or NPO, beside a retain term.

As a method's own file, this loads no library that computes before it is asked for the loss.
"""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Literal

from pydantic.dataclasses import dataclass

from mansu.settings import Positive, setting
from mansu.unlearn.settings import STRICT, HeldDescent, RetainLoss, idle_batch

if TYPE_CHECKING:
    from mansu.unlearn.said import Objective


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Contrast(HeldDescent):
    """Settings of such a method."""

    forget_loss: Literal["npo_sum", "gradient_ascent"] = setting("npo_sum", "forget term")
    retain_loss: RetainLoss = setting("kl", "retain term: cross-entropy, or KL from θ₀")
    beta: Positive = setting(0.1, "NPO's inverse temperature")


def idle(settings: Contrast, floor: str) -> Mapping[str, str]:
    """What is read under other values only."""
    found = idle_batch(settings, floor)
    if settings.forget_loss != "npo_sum":
        found["beta"] = "forget_loss is npo_sum"
    return found


def objective_of(settings: Contrast) -> "Objective":
    """The loss."""
    from mansu.unlearn.objectives import FORGET, RETAIN
    from mansu.unlearn.said import Objective

    term, compares = FORGET[settings.forget_loss], settings.forget_loss == "npo_sum"
    if compares:
        term = partial(term, beta=settings.beta)
    return Objective(
        term,
        RETAIN[settings.retain_loss],
        settings.retain_weight,
        compares=compares,
        retain_compares=settings.retain_loss == "kl",
    )
