"""Settings that methods share; each adds its own in its own file."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from mansu.settings import Count, Few, NonNegative, Real, Share, Whole, setting

Keep = Literal["best", "last"]
Steps = Annotated[Whole, Field(ge=1, le=100_000)]
Level = Annotated[Real, Field(ge=0, le=1, allow_inf_nan=False)]
RetainLoss = Literal["ce", "kl"]
Patience = Annotated[Whole, Field(ge=0, le=4096)]
Wordings = Annotated[Whole, Field(ge=0, le=100)]
STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Settings:
    """A method's own settings; nobody else knows its fields. What every method has:

    Attributes:
        wordings: The examples it is given depend on it.
        keep: See :func:`mansu.unlearn.checkpoint.kept_of`.
    """

    wordings: Wordings = setting(
        0, "shortened wordings of every seen forget template that training sees too"
    )
    keep: Keep = setting(
        "best", "checkpoint: best by the checks' rule, or the last, as global methods are published"
    )


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Descent(Settings):
    """Settings of a method that takes gradient steps (:mod:`mansu.unlearn.descent`)."""

    learning_rate: Share = setting(1e-5, "AdamW's learning rate")
    steps: Steps = setting(40, "training steps at most")
    forget_batch: Few = setting(16, "forget examples a step")
    validate_every: Count = setting(10, "steps between checks, and between saved states")
    patience: Patience = setting(
        0, "checks in a row that are over the limits after which training ends; 0: never"
    )
    until: Level = setting(
        0.0, "forget accuracy of a check at which training ends, to match another's depth"
    )


@dataclass(frozen=True, kw_only=True, config=STRICT)
class HeldDescent(Descent):
    """The same beside a term that holds the retain set."""

    retain_weight: NonNegative = setting(1.0, "λ, the weight of the retain term")
    retain_batch: Few = setting(8, "retain examples a step")


def own(name: str, default: Any) -> Any:
    """One of the fields above with a default of the method's own."""
    shared = HeldDescent.__dataclass_fields__[name].default  # pyright: ignore
    return setting(default, shared.description)


def idle_batch(settings: Any, floor: str) -> dict[str, str]:
    """Without a weight, the retain term is not taken and its examples are not run."""
    if getattr(settings, "retain_weight", 1.0):
        return {}
    held = [name for name in ("retain_batch", "retain_loss") if hasattr(settings, name)]
    return dict.fromkeys(held, "retain_weight is above 0")
