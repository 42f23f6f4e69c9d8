"""The training loop (phase 2): forget, keep the retain set, move only what may move.

Each step:

1. take the next forget and retain examples, an order that depends on seed and step alone;
2. in each precision the method trains in, run them once and take
   L = L_forget(D_f) + λ·KL(p_θ₀ ‖ p_θ on D_r), each term a mean over its examples;
3. average the precisions' gradients, gather those of the movable weights, clip, step AdamW;
4. clamp the latents and write them into the model's matrices.

Every ``validate_every`` steps the forget and retain accuracies are measured. ``best`` keeps the
state with the lowest forget accuracy among those whose retain accuracy fell by at most 2 pp [P],
and ends training early once a kept state is at chance. ``last`` keeps the last state as it is.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch

from mansu.data.examples import Example
from mansu.errors import RunError
from mansu.unlearn.latents import Latents
from mansu.unlearn.methods.base import Keep
from mansu.unlearn.objectives import ForgetLoss
from mansu.unlearn.side import Side
from mansu.unlearn.view import View

MAX_RETAIN_DROP = 0.02


@dataclass(frozen=True)
class TrainSettings:
    """Hyperparameters of the loop; the study's configuration documents each."""

    forget_loss: ForgetLoss
    beta: float
    margin: float
    retain_weight: float
    learning_rate: float
    steps: int
    forget_batch: int
    retain_batch: int
    validate_every: int
    seed: int
    keep: Keep = "best"
    max_gradient_norm: float = 1.0


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
    """

    step: int
    forget: float
    retain_drop: float


def kept_of(validations: Sequence[Validation], keep: Keep) -> Validation | None:
    """The check whose state is kept.

    ``best``: the lowest forget accuracy among checks that kept the retain set [P]; ties: the
    earlier. ``last``: the last.
    """
    if keep == "last":
        return validations[-1] if validations else None
    # A drop of exactly 2 pp is a difference of two floats and may come out a hair above.
    allowed = [v for v in validations if v.retain_drop <= MAX_RETAIN_DROP + 1e-9]
    return min(allowed, key=lambda v: (v.forget, v.step), default=None)


@dataclass
class TrainProgress:
    """All that a killed run needs to go on exactly where it was.

    Attributes:
        step: Steps done.
        values: The latents, ``[movable]``.
        momentum, variance: AdamW's moments, ``[movable]``.
        best: Latents of the kept checkpoint so far, ``[movable]``, or None.
        history: Every step's losses.
        validations: Every check's accuracies.
    """

    step: int
    values: torch.Tensor
    momentum: torch.Tensor
    variance: torch.Tensor
    best: torch.Tensor | None = None
    history: list[StepRecord] = field(default_factory=list)
    validations: list[Validation] = field(default_factory=list)


class Trainer:
    """Runs the loop over one set of latents.

    Args:
        latents: What moves.
        views: The model in each precision of ``latents.precisions``.
        forget, retain: Training examples.
        settings: Hyperparameters.
        validate: Measures the model with the current circuit weights.
        save: Keeps the state; called at every validation.
        chance: Accuracy of guessing, at which training ends early.
    """

    def __init__(
        self,
        latents: Latents,
        views: Sequence[View],
        forget: Sequence[Example],
        retain: Sequence[Example],
        settings: TrainSettings,
        validate: Callable[[Latents, int], Validation],
        save: Callable[[TrainProgress], None],
        chance: float,
    ) -> None:
        self.latents = latents
        self.settings = settings
        self._validate = validate
        self._save = save
        self._chance = chance
        relabel = settings.forget_loss == "cross_entropy"
        self._forget = [e.substitute if relabel else e.tokens for e in forget]
        self._retain = [e.tokens for e in retain]
        forget_starts = [e.answer_start for e in forget]
        retain_starts = [e.answer_start for e in retain]
        self._sides = [
            Side(view, self._forget, forget_starts, self._retain, retain_starts) for view in views
        ]

    def run(
        self,
        state: TrainProgress | None = None,
        on_step: Callable[[StepRecord], None] | None = None,
    ) -> TrainProgress:
        """Trains from the start, or on from a saved state, to the end.

        Raises:
            RunError: A loss or gradient is not finite; the last saved state stays.
        """
        zeros = torch.zeros_like(self.latents.values)
        state = state or TrainProgress(0, self.latents.values.clone(), zeros, zeros.clone())
        self.latents.values.copy_(state.values)
        self.latents.write()
        optimizer = self._optimizer(state)
        while state.step < self.settings.steps and not self._finished(state):
            record = self._step(state.step, optimizer)
            state.step += 1
            state.history.append(record)
            if on_step is not None:
                on_step(record)
            if state.step % self.settings.validate_every == 0 or state.step == self.settings.steps:
                self._check(state, optimizer)
        return state

    def _step(self, step: int, optimizer: torch.optim.Optimizer) -> StepRecord:
        settings = self.settings
        forget = _draw(len(self._forget), settings.forget_batch, settings.seed, step)
        retain = _draw(len(self._retain), settings.retain_batch, settings.seed + 1, step)
        gradient = torch.zeros_like(self.latents.values)
        losses = torch.zeros(2, dtype=torch.float64)
        for side in self._sides:
            weights = self.latents.weights[side.view.precision]
            terms = side.losses(weights, forget, retain, settings)
            loss = terms[0] + settings.retain_weight * terms[1]
            if not loss.isfinite():
                raise _diverged(f"loss ({side.view.precision})", step)
            gradient += self.latents.gradient(loss, side.view.precision)
            losses += torch.stack([term.detach().double().cpu() for term in terms])
        gradient /= len(self._sides)
        norm = gradient.norm().item()
        if not math.isfinite(norm):
            raise _diverged("gradient", step)
        gradient *= min(1.0, settings.max_gradient_norm / max(norm, 1e-12))
        self.latents.values.grad = gradient
        optimizer.step()
        with torch.no_grad():
            self.latents.clamp()
        self.latents.write()
        forget_loss, retain_loss = (losses / len(self._sides)).tolist()
        return StepRecord(step + 1, forget_loss, retain_loss, norm)

    def _check(self, state: TrainProgress, optimizer: torch.optim.Optimizer) -> None:
        validation = self._validate(self.latents, state.step)
        state.validations.append(validation)
        state.values = self.latents.values.detach().clone()
        moments = optimizer.state[self.latents.values]
        state.momentum = moments["exp_avg"].clone()
        state.variance = moments["exp_avg_sq"].clone()
        if kept_of(state.validations, self.settings.keep) is validation:
            state.best = state.values.clone()
        self._save(state)

    def _finished(self, state: TrainProgress) -> bool:
        kept = kept_of(state.validations, self.settings.keep)
        at_chance = kept is not None and kept.forget <= self._chance
        return self.settings.keep == "best" and at_chance

    def _optimizer(self, state: TrainProgress) -> torch.optim.Optimizer:
        optimizer = torch.optim.AdamW(
            [self.latents.values], lr=self.settings.learning_rate, weight_decay=0.0, foreach=True
        )
        if state.step:
            optimizer.state[self.latents.values] = {
                "step": torch.tensor(float(state.step)),
                "exp_avg": state.momentum.clone(),
                "exp_avg_sq": state.variance.clone(),
            }
        return optimizer


def _draw(size: int, batch: int, seed: int, step: int) -> list[int]:
    """The step's examples: consecutive slices of one shuffled epoch after another."""
    return [
        _shuffled(size, seed, i // size)[i % size] for i in range(step * batch, (step + 1) * batch)
    ]


def _shuffled(size: int, seed: int, epoch: int) -> list[int]:
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    return torch.randperm(size, generator=generator).tolist()


def _diverged(what: str, step: int) -> RunError:
    if not step:
        return RunError(f"The {what} is not finite before the first step; choose dtype float32.")
    return RunError(
        f"The {what} is not finite at step {step + 1}; the last checked state is kept. Lower the "
        "learning rate."
    )
