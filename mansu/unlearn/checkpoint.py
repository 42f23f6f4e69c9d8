"""What training writes down of its steps and checks, which check is kept, and when it ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from mansu.unlearn.settings import Keep as Keep

MAX_RETAIN_DROP = 0.02
MAX_FALL = 2.0  # nats that the wrong options may fall by; beyond that the model is silenced
SLOWEST = 0.02  # share of the forget term that an interval between checks must still take off


@dataclass(frozen=True)
class StepRecord:
    """Losses of one step, averaged over precisions, in nats."""

    step: int
    forget: float
    retain: float
    gradient_norm: float


@dataclass(frozen=True)
class Validation:
    """What a check during training measured.

    Attributes:
        step: Steps done.
        forget: Forget accuracy, the mean over the precisions trained in.
        retain_drop: Largest fall of the retain accuracy against θ₀, over the precisions.
        auc: Share of wrong options below the answer, mean over items, in the precision where it is
            furthest from its level.
        level: What answering by frequency reaches.
        fall: Nats that the wrong options fell by against θ₀ in the same format, median over items
            and options, the largest over the precisions.
    """

    step: int
    forget: float
    retain_drop: float
    auc: float
    level: float
    fall: float

    @property
    def off_level(self) -> float:
        """How far the AUC is from its level."""
        return abs(self.auc - self.level)

    @property
    def allowed(self) -> bool:
        """Whether the retain set was kept and the model not silenced."""
        # A drop of exactly 2 pp is a difference of two floats and may come out a hair above.
        return self.retain_drop <= MAX_RETAIN_DROP + 1e-9 and self.fall <= MAX_FALL + 1e-9


def kept_of(validations: Sequence[Validation], keep: Keep) -> Validation | None:
    """The check whose state is kept.

    ``best``: the AUC nearest to its level among the allowed checks; ties: the earlier [O].
    ``last``: the last.
    """
    if keep == "last":
        return validations[-1] if validations else None
    allowed = [v for v in validations if v.allowed]
    return min(allowed, key=lambda v: (v.off_level, v.step), default=None)


def is_lost(validations: Sequence[Validation], patience: int) -> bool:
    """Whether the last ``patience`` checks were all over the limits; never, where that is 0."""
    last = validations[-patience:] if patience else []
    return len(last) == patience > 0 and not any(check.allowed for check in last)


def has_settled(
    history: Sequence[StepRecord], validations: Sequence[Validation], every: int
) -> bool:
    """Whether the steps since the last but one check brought nothing any more.

    Their mean forget term lies less than 2 % below that of as many steps before, and the last
    check's AUC is no nearer to its level than that of every check before.
    """
    if len(validations) < 2 or len(history) != validations[-1].step or len(history) < 2 * every:
        return False
    *before, last = validations
    was = fmean(record.forget for record in history[-2 * every : -every])
    now = fmean(record.forget for record in history[-every:])
    falling = was - now >= SLOWEST * abs(was)
    return not falling and last.off_level >= min(v.off_level for v in before)
