"""What every training has in common: it goes on from where it was, is checked, and ends."""

from abc import ABC, abstractmethod
from typing import Protocol

import torch

from mansu.unlearn.checkpoint import Keep, StepRecord, has_settled, kept_of
from mansu.unlearn.latents import Latents
from mansu.unlearn.rule import Rule
from mansu.unlearn.task import Progress, Task, Update, kept


class Course(Protocol):
    """Settings that a loop reads."""

    @property
    def learning_rate(self) -> float: ...
    @property
    def validate_every(self) -> int: ...
    @property
    def keep(self) -> Keep: ...


class Loop(ABC):
    """A training of some latents by AdamW.

    Args:
        task: The task.
        settings: Of the loop.
        latents: What is stepped.
        last: After how many steps it ends, at the latest.
        rule: What remembers more than the latents and their moments, if anything does.
    """

    def __init__(
        self, task: Task, settings: Course, latents: Latents, last: int, rule: Rule | None = None
    ) -> None:
        self.latents = latents
        self._task, self._course, self._last, self._rule = task, settings, last, rule

    @abstractmethod
    def step(self, step: int, optimizer: torch.optim.Optimizer) -> StepRecord:
        """One step; returns its losses."""

    def update(self) -> Update:
        """Trains from the start, or on from where a killed training was, to the end.

        Raises:
            RunError: A loss or gradient is not finite; the last saved state stays.
        """
        ended = self.run(self._task.diary.resumed)
        best = kept(ended, self._course.keep)
        values = self.latents.original if ended.best is None else ended.best
        index = {name: i.cpu() for name, i in self.latents.index.items()}
        return Update(self.latents.update(values), index, ended.history, ended.validations, best)

    def run(self, state: Progress | None = None) -> Progress:
        """Steps to the end, from the start or from a saved state."""
        start = self.latents.values
        state = state or Progress(0, start, start.new_empty(0), start.new_empty(0))
        start.copy_(state.values)
        self.latents.write()
        if self._rule is not None:
            self._rule.resume(state.beside)
        optimizer = self._optimizer(state)
        while state.step < self._last and not self.finished(state):
            record = self.step(state.step, optimizer)
            state.step += 1
            state.history.append(record)
            self._task.diary.note(record, self._last)
            if state.step % self._course.validate_every == 0 or state.step == self._last:
                self._check(state, optimizer)
        return state

    def finished(self, state: Progress) -> bool:
        """Whether it ends before its last step."""
        settled = has_settled(state.history, state.validations, self._course.validate_every)
        return self._course.keep == "best" and settled

    def taken(self, step: int) -> int:
        """How many steps of the optimizer so many steps are."""
        return step

    def _check(self, state: Progress, optimizer: torch.optim.Optimizer) -> None:
        validation = self._task.diary.check(self.latents, state.step)
        state.validations.append(validation)
        # Not copies: the state is saved before they change, and they are the largest part of all.
        state.values = self.latents.values.detach()
        moments = optimizer.state[self.latents.values]
        state.momentum, state.variance = moments["exp_avg"], moments["exp_avg_sq"]
        if kept_of(state.validations, self._course.keep) is validation:
            state.best = state.values.clone()
        if self._rule is not None:
            state.beside = self._rule.remembered()
        self._task.diary.save(state)

    def _optimizer(self, state: Progress) -> torch.optim.Optimizer:
        optimizer = torch.optim.AdamW(
            [self.latents.values], lr=self._course.learning_rate, weight_decay=0.0, foreach=True
        )
        if state.step:
            optimizer.state[self.latents.values] = {
                "step": torch.tensor(float(self.taken(state.step))),
                "exp_avg": state.momentum,
                "exp_avg_sq": state.variance,
            }
        return optimizer
