"""Notebook 3's dashboard: which share of the circuit stays trainable, seen beforehand."""

import threading
import time

import ipywidgets as widgets
from IPython.display import display

from mansu.errors import InputError
from mansu.lab import charts
from mansu.lab.dashboards.controls import Words, beside, choice, column, dashboard
from mansu.lab.dashboards.pane import Pane
from mansu.lab.dashboards.runs import change
from mansu.lab.dashboards.state import StateRow
from mansu.lab.show import is_live
from mansu.study.config import FIELDS, StudyConfig, choices, describe
from mansu.study.run import Run
from mansu.study.stages.train import circuit_weights, measure_fisher, select_movable

_OWN = ("tau", "rho", "floor")  # what the controls set
_HINTS = {field.name: describe(field) for field in FIELDS}


def train(run: Run) -> None:
    """Shows the dashboard; a batch run has the chart of its own setting further up already.

    Args:
        run: The notebook's run.
    """
    if is_live():
        display(TrainDashboard(run).box)


class TrainDashboard:
    """Controls, the share of every matrix that may move, and the configuration.

    Attributes:
        box: The widgets.
        tau: Retain-Fisher quantile up to which weights may move.
        rho: Share of those that in_loop moves.
        floor: Its rule decides who may move.
        words: The outcome in numbers.
        state: The configuration to copy and load.
    """

    def __init__(self, run: Run) -> None:
        config = run.config
        self._run, self._config, self._drawing = run, config, threading.RLock()
        self._fisher, self._weights = measure_fisher(run), circuit_weights(run)
        self.tau = _share("τ, quantile of retain Fisher", config.tau, "tau")
        self.rho = _share("ρ, share of the mask", config.rho, "rho")
        kinds = {field.name: choices(field) or () for field in FIELDS}["floor"]
        self.floor = choice("floor", config.floor, kinds, _HINTS["floor"])
        self.words, self.chart = Words(5), Pane(300)
        self.state = StateRow(config, self.load)
        left = column(self.tau, self.rho, self.floor, self.words.box, flex="0 0 420px")
        self.box = dashboard(beside(left, column(self.chart.box, flex="1 1 560px")), self.state.box)
        self._draw()
        for control in (self.tau, self.rho, self.floor):
            control.observe(lambda change: self._draw(), "value")

    @property
    def config(self) -> StudyConfig:
        """What the controls say."""
        values = {"tau": self.tau.value, "rho": self.rho.value, "floor": self.floor.value}
        return change(self._config, **values)

    def load(self, config: StudyConfig) -> None:
        """Sets the controls to a configuration that differs in nothing else.

        Raises:
            InputError: It does; the notebook's parameters cell opens it.
        """
        own = self._run.config
        differing = [
            field.name
            for field in FIELDS
            if field.name not in _OWN and getattr(config, field.name) != getattr(own, field.name)
        ]
        if differing:
            raise InputError(
                f"This dashboard shows one circuit's Fisher information, and "
                f"{', '.join(differing)} differs; set it in the parameters cell and run the "
                "notebook again."
            )
        for control, value in ((self.tau, config.tau), (self.rho, config.rho)):
            control.min = min(control.min, value)
            control.value = value
        self.floor.value = config.floor
        self.state.show(config)

    def _draw(self) -> None:
        with self._drawing:
            begin, config = time.monotonic(), self.config
            self.rho.disabled = config.floor != "in_loop"
            found = select_movable(self._run, self._fisher, config)
            self.chart.show(charts.movable_share(found, self._weights))
            total = sum(weight.numel() for weight in self._weights.values())
            rule = "ρ keeps the best of the mask by forget/retain Fisher ratio."
            if self.rho.disabled:
                rule = "The mask alone decides; ρ has a part in floor in_loop only."
            self.words.say(
                f"{found.count:,} of {total:,} weights ({found.count / total:.2%}) could be "
                f"trained. {rule} Answered in {time.monotonic() - begin:.1f} s."
            )
            self.state.show(config)


def _share(label: str, value: float, field: str) -> widgets.FloatSlider:
    """A share above 0, up to 1, in steps of a hundredth."""
    return widgets.FloatSlider(
        value=value,
        min=min(0.01, value),
        max=1.0,
        step=0.01,
        description=label,
        tooltip=_HINTS[field],
        continuous_update=False,
        style={"description_width": "190px"},
        layout={"width": "400px"},
    )
