"""The training loop (phase 2): forget, keep the retain set, move only what may move.

Each step:

1. take the next forget and retain examples, an order that depends on seed and step alone;
2. in each precision the method trains in, run them once and take
   L = L_forget(D_f) + λ·KL(p_θ₀ ‖ p_θ on D_r), each term a mean over its examples;
3. average the precisions' gradients, gather those of the movable weights, clip, step AdamW;
4. clamp the latents and write them into the model's matrices.

Every ``validate_every`` steps the model is checked. ``best`` keeps, among the checks whose retain
accuracy fell by at most 2 pp [P] and whose wrong options by at most 2 nats, the one whose AUC is
nearest to its level, the earlier of two [O]: the lowest accuracy would reward a model that puts a
known answer last. It ends training early once neither forget term nor checks improve
(``checkpoint.py``). ``last`` keeps the last state as it is.
"""

import math
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field
from functools import lru_cache

import torch

from mansu.data.examples import Example
from mansu.errors import RunError
from mansu.unlearn.checkpoint import StepRecord, Validation, has_settled, kept_of
from mansu.unlearn.latents import Latents
from mansu.unlearn.methods.base import ForgetLoss, Keep
from mansu.unlearn.prior import Prior
from mansu.unlearn.side import Answered, Side
from mansu.unlearn.view import View


@dataclass(frozen=True)
class TrainSettings:
    """Hyperparameters of the loop; the study's configuration documents each.

    Only the forms of NPO read ``beta`` and ``margin``.
    """

    forget_loss: ForgetLoss
    retain_weight: float
    learning_rate: float
    steps: int
    forget_batch: int
    retain_batch: int
    validate_every: int
    seed: int
    beta: float = 1.0
    margin: float = 0.0
    keep: Keep = "best"
    max_gradient_norm: float = 1.0


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
        prior: Targets of the forget term ``prior``; others need none.
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
        prior: Prior | None = None,
    ) -> None:
        self.latents = latents
        self.settings = settings
        self._validate = validate
        self._save = save
        self._prior, self._forget, self._retain = prior, forget, retain
        forget_loss = settings.forget_loss
        drawn = [self._drawn(step) for step in range(settings.steps)]
        asked = _answered(forget, {i for rows, _ in drawn for i in rows}, forget_loss)
        kept = _answered(retain, {i for _, rows in drawn for i in rows})
        compared = forget_loss in ("npo", "npo_sum")
        self._sides = [Side(view, asked, kept, compared) for view in views]

    def _drawn(self, step: int) -> tuple[list[int], list[int]]:
        """The forget and retain examples of a step."""
        settings = self.settings
        forget = _draw(len(self._forget), settings.forget_batch, settings.seed, step)
        retain = _draw(len(self._retain), settings.retain_batch, settings.seed + 1, step)
        return forget, retain

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
        forget, retain = self._drawn(step)
        gradient = torch.zeros_like(self.latents.values)
        losses = torch.zeros(2, dtype=torch.float64)
        aim = None
        if self._prior is not None:
            aim = self._prior.aim(self._sides[0].view.model, [self._forget[i] for i in forget])
        for side in self._sides:
            weights = self.latents.weights[side.view.precision]
            terms = side.losses(weights, forget, retain, settings, aim)
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
        settled = has_settled(state.history, state.validations, self.settings.validate_every)
        return self.settings.keep == "best" and settled

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


def _answered(
    examples: Sequence[Example], used: Set[int], loss: ForgetLoss | None = None
) -> Answered:
    """The examples that are used; under relabelling with a wrong answer."""
    chosen = {i: examples[i] for i in sorted(used)}
    relabel = loss == "cross_entropy"
    tokens = {i: e.substitute if relabel else e.tokens for i, e in chosen.items()}
    return Answered(tokens, {i: e.answer_start for i, e in chosen.items()})


def _draw(size: int, batch: int, seed: int, step: int) -> list[int]:
    """The step's examples: consecutive slices of one shuffled epoch after another."""
    return [
        _shuffled(size, seed, i // size)[i % size] for i in range(step * batch, (step + 1) * batch)
    ]


@lru_cache(maxsize=8)
def _shuffled(size: int, seed: int, epoch: int) -> tuple[int, ...]:
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    return tuple(torch.randperm(size, generator=generator).tolist())


def _diverged(what: str, step: int) -> RunError:
    if not step:
        return RunError(f"The {what} is not finite before the first step; choose dtype float32.")
    return RunError(
        f"The {what} is not finite at step {step + 1}; the last checked state is kept. Lower the "
        "learning rate."
    )
