"""MANSU: the circuit's matrices, the Fisher mask, training through the quantizer [P]; the default.

L = L_forget + λ·KL(p_θ₀ ‖ p_θ on the retain set) [R]. Of the circuit's weights may move those whose
retain Fisher is at most the τ-th quantile [P]; through the quantizer, of these the share ρ with the
largest forget/retain ratio [O]. The default forget term is the prior target [O]; the paper's NPO is
`npo` with its margin at 0.
"""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Literal

from pydantic.dataclasses import dataclass

from mansu.settings import Count, NonNegative, Positive, Share, setting
from mansu.unlearn.load import descending
from mansu.unlearn.methods.base import CIRCUIT, Method
from mansu.unlearn.settings import STRICT, HeldDescent, Steps, Wordings, idle_batch, own

if TYPE_CHECKING:
    from mansu.unlearn.mask import Movable
    from mansu.unlearn.said import Objective
    from mansu.unlearn.task import Task, Update


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Settings(HeldDescent):
    """MANSU's own settings."""

    tau: Share = setting(0.9, "retain-Fisher quantile of the circuit up to which weights may move")
    rho: Share = setting(0.1, "share of those, by forget/retain Fisher ratio, that in_loop moves")
    fisher_examples: Count = setting(128, "examples the Fisher information is averaged over")
    forget_loss: Literal["prior", "npo", "npo_sum", "gradient_ascent", "cross_entropy"] = setting(
        "prior", "forget term"
    )
    beta: Positive = setting(0.5, "NPO's inverse temperature")
    margin: NonNegative = setting(10.0, "nats per token below θ₀ at which NPO lets go")
    retain_weight: NonNegative = own("retain_weight", 2.0)
    wordings: Wordings = own("wordings", 1)
    learning_rate: Share = own("learning_rate", 2e-3)
    steps: Steps = own("steps", 100)
    validate_every: Count = own("validate_every", 20)


def idle(settings: Settings, floor: str) -> Mapping[str, str]:
    """What is read under other values only."""
    found = idle_batch(settings, floor)
    if settings.forget_loss not in ("npo", "npo_sum"):
        found |= dict.fromkeys(("beta", "margin"), "forget_loss is npo or npo_sum")
    if floor != "in_loop":
        found["rho"] = "floor is in_loop"
    return found


def movable(task: "Task", settings: Settings) -> "Movable":
    """Who may move.

    Raises:
        RunError: Nobody.
    """
    from mansu.unlearn.mask import choose_movable

    through = task.codebooks if task.through else ()
    fisher = task.find_fisher()
    return choose_movable(fisher, settings.tau, settings.rho, task.weights, *through)


def objective_of(settings: Settings) -> "Objective":
    """The loss."""
    from mansu.unlearn.objectives import FORGET, kl
    from mansu.unlearn.said import Objective

    kind = settings.forget_loss
    compares = kind in ("npo", "npo_sum")
    term = FORGET[kind]
    if compares:
        term = partial(term, beta=settings.beta, margin=settings.margin)
    relabels = kind == "cross_entropy"
    return Objective(term, kl, settings.retain_weight, compares=compares, relabels=relabels)


def unlearn(task: "Task", settings: Settings) -> "Update":
    """Trains what may move."""
    from mansu.unlearn.descent import descend

    aimed = settings.forget_loss == "prior"
    return descend(task, settings, objective_of(settings), movable(task, settings), aimed=aimed)


def needs(settings: Settings) -> frozenset[str]:
    """The Fisher information, and the target where it is the term."""
    return frozenset({"fisher", *({"prior"} if settings.forget_loss == "prior" else ())})


def masked(settings: Settings, through: bool) -> Mapping[str, float]:
    """The share that the masks let move."""
    return {"share": settings.tau * (settings.rho if through else 1.0)}


METHOD = Method(
    "mansu",
    "MANSU",
    Settings,
    unlearn,
    scope=lambda settings: CIRCUIT,
    movable=movable,
    needs=needs,
    load=descending(objective_of, masked),
    floors=("in_loop", "boundary", "paper", "none"),
    idle=idle,
)
