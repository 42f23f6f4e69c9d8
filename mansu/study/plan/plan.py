"""The memory plan of a run: what its stages hold, from the configuration alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch

from mansu.study.check import check
from mansu.study.config import StudyConfig
from mansu.study.plan.moments import ATTACK, FISHER, RETRAINED, STAGES, Moment
from mansu.study.plan.shapes import Shapes, meta_model
from mansu.study.plan.stages import Accounting
from mansu.study.plan.workload import (
    Workload,
    has_tokenizer,
    read_workload,
    reads_fisher,
    tunes,
)
from mansu.unlearn.methods import find_method


@dataclass(frozen=True)
class Plan:
    """The memory of a run.

    Attributes:
        config: The configuration.
        shapes: The model's sizes, and what is trained.
        workload: The batches.
        located: Whether it is known what is trained; otherwise the circuit is the worst case.
        moments: Every stage's moments, in order.
    """

    config: StudyConfig
    shapes: Shapes
    workload: Workload
    located: bool
    moments: tuple[Moment, ...]

    def peak(self, stage: str | None = None) -> Moment:
        """A stage's fullest moment, or the run's: on the device, or in all on a CPU."""
        chosen = [m for m in self.moments if stage in (None, m.stage)]
        return max(chosen, key=lambda m: m.total if self.on_cpu else m.device)

    @property
    def on_cpu(self) -> bool:
        """Whether device and host memory are one."""
        return torch.device(self.config.device).type == "cpu"


def stages_of(config: StudyConfig) -> tuple[str, ...]:
    """The stages that are planned for."""
    asked = {ATTACK: tunes(config), RETRAINED: bool(config.retrained)}
    read = STAGES if reads_fisher(config) else tuple(s for s in STAGES if s != FISHER)
    return (*read, *(stage for stage, is_asked in asked.items() if is_asked))


def make_plan(config: StudyConfig, layers: Sequence[int] | None = None) -> Plan:
    """Accounts for the memory of a run; no weight is loaded.

    Args:
        config: The run.
        layers: The circuit's layers, where they are known. Otherwise the worst case: the lowest
            layer, so that every block is differentiated, and the highest others, so that their
            gradients are there while most activations still are.

    Raises:
        InputError: As from :func:`mansu.study.check.check`.
    """
    load = cache(lambda: meta_model(config))
    sets = check(config, lambda: load().tokenizer if has_tokenizer(load()) else None)
    model = load()
    scope = find_method(config.method).scope(config.settings)
    worst = (0, *range(model.layers - config.top_k + 1, model.layers))
    names = scope.names(model, tuple(sorted(worst if layers is None else layers)))
    shapes = Shapes(model, tuple(names))
    workload = read_workload(config, model, sets)
    accounting = Accounting(config, shapes, workload)
    moments = tuple(m for stage in stages_of(config) for m in getattr(accounting, stage)())
    located = layers is not None or not scope.on_circuit
    return Plan(config, shapes, workload, located, moments)
