"""The training loop that methods share (phase 2): forget, keep the retain set, step what may move.

Each step:

1. take the next forget and retain examples, an order that depends on seed and step alone;
2. in each precision the method trains in, run them once and take
   L = L_forget(D_f) + λ·L_retain(D_r), each term a mean over its examples;
3. average the precisions' gradients, gather those of the movable weights, clip, step AdamW;
4. clamp the latents and write them into the model's matrices.

A method's own rule may take a step's two gradients apart (:class:`Rule`).

Every ``validate_every`` steps the model is checked. ``best`` keeps, among the checks whose retain
accuracy fell by at most 2 pp [P] and whose wrong options by at most 2 nats, the one whose AUC is
nearest to its level, the earlier of two [O]: the lowest accuracy would reward a model that puts a
known answer last. It ends training early once neither forget term nor checks improve
(``checkpoint.py``). ``last`` keeps the last state as it is. A check whose forget accuracy is at
most ``until`` ends it, too: an ablation is compared at the depth that its reference reached [P]; so
do ``patience`` checks in a row that are over the limits.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache

import torch

from mansu.data.examples import Example
from mansu.errors import RunError
from mansu.models.names import layer_of
from mansu.unlearn.checkpoint import StepRecord, is_lost
from mansu.unlearn.in_loop import InLoopLatents
from mansu.unlearn.latents import Latents
from mansu.unlearn.loop import Loop
from mansu.unlearn.mask import Movable, all_movable
from mansu.unlearn.prior import Aim, Prior
from mansu.unlearn.rule import Rule
from mansu.unlearn.said import Objective
from mansu.unlearn.settings import Descent as DescentSettings
from mansu.unlearn.settings import HeldDescent
from mansu.unlearn.side import Losses, Side
from mansu.unlearn.task import Progress, Task, Update
from mansu.unlearn.view import View

MAX_GRADIENT_NORM = 1.0


def descend(
    task: Task,
    settings: DescentSettings,
    objective: Objective,
    movable: Movable | None = None,
    rule: Rule | None = None,
    aimed: bool = False,
    latents: Latents | None = None,
) -> Update:
    """Trains what may move of a task's weights on an objective over its answers.

    Args:
        task: The task.
        settings: Of the loop.
        objective: The loss.
        movable: The weights that may move; all of the task's, if not given.
        rule: What the method does with gradients and steps beyond AdamW.
        aimed: Whether the forget term is the prior target's.
        latents: What is stepped, where that is not the weights that may move.
    """
    if latents is None:
        latents = make_latents(task, movable or all_movable(task.weights))
    drawn = Drawn(task, settings)
    aim = make_aim(task, task.find_prior()) if aimed else None
    lowest = min(map(layer_of, latents.weights["fp"]))
    sides = [
        Side(
            View(task.model, latents.names, lowest, precision),
            drawn.forget_examples,
            drawn.retain_examples if objective.weight else {},
            objective,
            aim,
        )
        for precision in latents.precisions
    ]
    return Descent(task, settings, latents, sides, objective.weight, rule).update()


def make_aim(task: Task, prior: Prior) -> Callable[[tuple[int, ...]], Aim]:
    """What some forget examples' answers should be, by their indices."""

    @lru_cache(maxsize=1)  # the precisions of a step ask for the same
    def aim(drawn: tuple[int, ...]) -> Aim:
        return prior.aim(task.model, [task.forget[i] for i in drawn])

    return aim


def make_latents(task: Task, movable: Movable) -> Latents:
    """What training steps: the movable weights as they are, or through the quantizer."""
    index = {name: index for name, index in movable.index.items() if len(index)}
    moving = replace(movable, index=index)
    weights = {name: task.weights[name] for name in moving.sizes}
    if task.through:
        return InLoopLatents(weights, moving, *task.codebooks)
    return Latents(weights, moving)


class Drawn:
    """Which examples each step takes.

    Attributes:
        forget_examples, retain_examples: Those that any step takes, by their index.
    """

    def __init__(self, task: Task, settings: DescentSettings) -> None:
        self._sizes = (len(task.forget), len(task.retain))
        kept = settings.retain_batch if isinstance(settings, HeldDescent) else 0
        self._batches = (settings.forget_batch, kept)
        self._seed = task.seed
        every = [self.at(step) for step in range(settings.steps)]
        self.forget_examples = _used(task.forget, (i for rows, _ in every for i in rows))
        self.retain_examples = _used(task.retain, (i for _, rows in every for i in rows))

    def at(self, step: int) -> tuple[list[int], list[int]]:
        """The forget and retain examples of a step."""
        (forget, retain), (asked, kept) = self._sizes, self._batches
        return (
            _draw(forget, asked, self._seed, step),
            _draw(retain, kept, self._seed + 1, step),
        )


class Descent(Loop):
    """Steps down a loss that is taken in one or more precisions.

    Args:
        task: The task.
        settings: Of the loop.
        latents: What is stepped.
        sides: The loss in every precision of the latents.
        weight: λ.
        rule: What the method does with gradients and steps beyond AdamW.
    """

    def __init__(
        self,
        task: Task,
        settings: DescentSettings,
        latents: Latents,
        sides: Sequence[Losses],
        weight: float,
        rule: Rule | None = None,
    ) -> None:
        super().__init__(task, settings, latents, settings.steps, rule)
        self._until, self._patience = settings.until, settings.patience
        self._sides, self._weight = sides, weight
        self._drawn = Drawn(task, settings)

    def finished(self, state: Progress) -> bool:
        """Also where a check has met the depth that is asked for, or too many broke a limit."""
        checks = state.validations
        met = bool(checks and checks[-1].forget <= self._until > 0)
        lost = is_lost(checks, self._patience)
        return met or lost or super().finished(state)

    def step(self, step: int, optimizer: torch.optim.Optimizer) -> StepRecord:
        """One step; returns its losses."""
        gradients, losses = self._gradients(step)
        rule, latents = self._rule, self.latents
        gradient = (
            gradients[0] if rule is None else rule.combine(gradients[0], gradients[1], optimizer)
        )
        del gradients
        norm = gradient.norm().item()
        if not math.isfinite(norm):
            raise _diverged("gradient", step)
        gradient *= min(1.0, MAX_GRADIENT_NORM / max(norm, 1e-12))
        before = latents.values.clone() if rule is not None and rule.corrects else None
        latents.values.grad = gradient
        optimizer.step()
        latents.values.grad = None
        with torch.no_grad():
            if rule is not None and before is not None:
                rule.correct(before, latents.values, optimizer)
            latents.clamp()
        latents.write()
        forget_loss, retain_loss = (losses / len(self._sides)).tolist()
        return StepRecord(step + 1, forget_loss, retain_loss, norm)

    def _gradients(self, step: int) -> tuple[list[torch.Tensor], torch.Tensor]:
        """The gradient of the loss, or of each term where a rule takes them apart; and the terms.

        Means over the precisions; of the terms their sums over them.
        """
        forget, retain = self._drawn.at(step)
        # Apart, each term's examples run alone: a pass over all of them twice would cost more.
        drawn = [(forget, retain)] if self._rule is None else [(forget, []), ([], retain)]
        total: list[torch.Tensor] = []
        losses = torch.zeros(2, dtype=torch.float64)
        for side in self._sides:
            for number, rows in enumerate(drawn):
                asked, kept = side.losses(self.latents.weights[side.precision], *rows)
                loss = asked + self._weight * kept
                if not loss.isfinite():
                    raise _diverged(f"loss ({side.precision})", step)
                gradient = self.latents.gradient(loss, side.precision)
                gradient /= len(self._sides)
                if len(total) > number:
                    total[number] += gradient
                else:
                    total.append(gradient)
                losses += torch.stack([term.detach().double().cpu() for term in (asked, kept)])
        return total, losses


def _used(examples: Sequence[Example], drawn: Iterable[int]) -> dict[int, Example]:
    return {i: examples[i] for i in sorted(set(drawn))}


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
