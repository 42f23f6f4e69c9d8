"""Notebook 3's dashboard: which share of the circuit stays trainable, then training, live."""

import threading
import time
from collections.abc import Collection
from dataclasses import replace

import ipywidgets as widgets
from IPython.display import display

from mansu.errors import RunError
from mansu.lab import charts
from mansu.lab.dashboards.controls import Words, beside, choice, column, dashboard, of_field
from mansu.lab.dashboards.live_training import LABELS, LiveTraining
from mansu.lab.dashboards.pane import Pane
from mansu.lab.dashboards.runs import change
from mansu.lab.dashboards.state import StateRow, require_same
from mansu.lab.show import is_live
from mansu.study.config import FIELDS, StudyConfig, describe, floors, own_fields
from mansu.study.run import Run
from mansu.study.stages.fisher import measure_fisher
from mansu.study.stages.train import task_of
from mansu.unlearn.mask import all_movable
from mansu.unlearn.methods import find_method

_HINTS = {field.name: describe(field) for field in FIELDS}


def train(run: Run) -> None:
    """Shows the dashboard; a batch run has the chart of its own setting further up already.

    Args:
        run: The notebook's run.
    """
    if is_live():
        display(TrainDashboard(run).box)


class TrainDashboard:
    """Controls, the share of every matrix that may move, training, and the configuration.

    Attributes:
        box: The widgets.
        controls: Of the method's settings that decide who may move and what holds the retain set,
            by name: τ, ρ and λ, as far as it has them.
        floor: Its rule decides who may move.
        words: The outcome in numbers.
        live: Training with this setting.
        state: The configuration to copy and load.
    """

    def __init__(self, run: Run) -> None:
        config = run.config
        self._run, self._config, self._drawing = run, config, threading.RLock()
        self._method = find_method(config.method)
        self._task = task_of(run)
        if "fisher" in self._method.needs(config.settings):
            fisher = measure_fisher(run)
            self._task = replace(self._task, find_fisher=lambda: fisher)
        own = {field.name: field for field in own_fields(config.method)}
        self.controls: dict[str, widgets.FloatSlider] = {
            name: of_field(own[name], getattr(config.settings, name), label)
            for name, label in LABELS.items()
            if name in own
        }
        self.floor = choice("floor", config.floor, floors(config.method), _HINTS["floor"])
        rows = len({name.split(".")[-2] for name in self._task.weights})  # of the chart
        self.words, self.chart = Words(5), Pane(230 + 34 * rows)
        self.state = StateRow(config, self.load)
        self.live = LiveTraining(run, lambda: self.config)
        left = column(*self.controls.values(), self.floor, self.words.box, flex="0 1 420px")
        right = column(self.chart.box, flex="1 1 560px")
        self.box = dashboard(beside(left, right), self.live.box, self.state.box)
        self._draw()
        for control in (*self.controls.values(), self.floor):
            control.observe(lambda change: self._draw(), "value")

    @property
    def config(self) -> StudyConfig:
        """What the controls say."""
        values = {name: control.value for name, control in self.controls.items()}
        return change(self._config, **values, floor=self.floor.value)

    def load(self, config: StudyConfig) -> None:
        """Sets the controls to a configuration; how it trains otherwise is kept beside them.

        Raises:
            InputError: It has another circuit or Fisher information; the notebook's parameters cell
                opens it.
        """
        # Neither the circuit nor its Fisher information depends on these.
        own = {field.name for field in own_fields(self._config.method)}
        free = {"floor", "seed", *own} - {"fisher_examples", "wordings"}
        require_same(config, self._run.config, "one circuit's Fisher information", free)
        self._config = config
        for name, control in self.controls.items():
            value = getattr(config.settings, name)
            control.min, control.max = min(control.min, value), max(control.max, value)
            control.value = value
        self.floor.value = config.floor
        self._draw()

    def _draw(self) -> None:
        with self._drawing:
            begin, config = time.monotonic(), self.config
            idle = self._method.idle(config.settings, config.floor)
            for name, control in self.controls.items():
                control.disabled = name in idle
            try:
                self._count(config, begin, idle)
            except RunError as error:
                self.words.say(str(error), wrong=True)
            self.state.show(config)
            self.live.look()

    def _count(self, config: StudyConfig, begin: float, idle: Collection[str]) -> None:
        weights, settings = self._task.weights, config.settings
        if self._method.movable is None:
            found, rule = all_movable(weights), f"{self._method.title} has no mask."
        else:
            task = replace(self._task, through=config.floor == "in_loop")
            found = self._method.movable(task, settings)
            rule = f"{self._method.title} chooses them by its own rule."
            if "rho" in idle:
                rule = "The mask alone decides; ρ has a part in floor in_loop only."
            elif "rho" in self.controls:
                rule = "ρ keeps the best of the mask by forget/retain Fisher ratio."
        self.chart.show(charts.movable_share(found, weights))
        total = sum(weight.numel() for weight in weights.values())
        if found.left_out:
            rule += f" Layer {', '.join(map(str, found.left_out))} would leave the training."
        self.words.say(
            f"{found.count:,} of {total:,} weights ({found.count / total:.2%}) could be "
            f"trained. {rule} Answered in {time.monotonic() - begin:.1f} s."
        )
