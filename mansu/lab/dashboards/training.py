"""Notebook 3's dashboard: which share of the circuit stays trainable, then training, live."""

import threading
import time

import ipywidgets as widgets
from IPython.display import display

from mansu.lab import charts
from mansu.lab.dashboards.controls import Words, beside, choice, column, dashboard
from mansu.lab.dashboards.live_training import LiveTraining
from mansu.lab.dashboards.pane import Pane
from mansu.lab.dashboards.runs import change
from mansu.lab.dashboards.state import StateRow, require_same
from mansu.lab.show import is_live
from mansu.study.config import FIELDS, StudyConfig, describe, floors
from mansu.study.run import Run
from mansu.study.stages.fisher import measure_fisher, select_movable, trainable_weights
from mansu.study.stages.train import NPO_FIELDS, TRAIN_FIELDS
from mansu.unlearn.fisher import all_movable
from mansu.unlearn.methods import find_method

# What a configuration may set otherwise: it changes neither the circuit nor its Fisher information.
_OWN = ("tau", "rho", "floor", *TRAIN_FIELDS, *NPO_FIELDS)
_MOST_WEIGHT = 10.0  # λ, where its slider ends
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
        tau: Retain-Fisher quantile up to which weights may move.
        rho: Share of those that in_loop moves.
        retain_weight: λ, of the retain KL; it changes nothing before training.
        floor: Its rule decides who may move.
        words: The outcome in numbers.
        live: Training with this setting.
        state: The configuration to copy and load.
    """

    def __init__(self, run: Run) -> None:
        config = run.config
        self._run, self._config, self._drawing = run, config, threading.RLock()
        self._weights = trainable_weights(run)
        masked = find_method(config.method).scope == "circuit"
        self._fisher = measure_fisher(run) if masked else None
        self.tau = _share("τ, quantile of retain Fisher", config.tau, "tau")
        self.rho = _share("ρ, share of the mask", config.rho, "rho")
        self.retain_weight = _weight(config.retain_weight)
        self.floor = choice("floor", config.floor, floors(config.method), _HINTS["floor"])
        self.tau.disabled = not masked
        rows = len({name.split(".")[-2] for name in self._weights})  # of the chart
        self.words, self.chart = Words(5), Pane(230 + 34 * rows)
        self.state = StateRow(config, self.load)
        self.live = LiveTraining(run, lambda: self.config)
        controls = (self.tau, self.rho, self.retain_weight, self.floor)
        left = column(*controls, self.words.box, flex="0 1 420px")
        right = column(self.chart.box, flex="1 1 560px")
        self.box = dashboard(beside(left, right), self.live.box, self.state.box)
        self._draw()
        for control in (self.tau, self.rho, self.floor):
            control.observe(lambda change: self._draw(), "value")
        self.retain_weight.observe(lambda change: self._take(), "value")

    @property
    def config(self) -> StudyConfig:
        """What the controls say."""
        names = ("tau", "rho", "retain_weight", "floor")
        return change(self._config, **{name: getattr(self, name).value for name in names})

    def load(self, config: StudyConfig) -> None:
        """Sets the controls to a configuration; how it trains otherwise is kept beside them.

        Raises:
            InputError: It has another circuit or Fisher information; the notebook's parameters cell
                opens it.
        """
        require_same(config, self._run.config, "one circuit's Fisher information", _OWN)
        self._config = config
        for control, value in ((self.tau, config.tau), (self.rho, config.rho)):
            control.min = min(control.min, value)
            control.value = value
        self.retain_weight.max = max(self.retain_weight.max, config.retain_weight)
        self.retain_weight.value = config.retain_weight
        self.floor.value = config.floor
        self._take()

    def _draw(self) -> None:
        with self._drawing:
            begin, config = time.monotonic(), self.config
            self.rho.disabled = config.floor != "in_loop"
            if self._fisher is None:
                found = all_movable(self._weights)
                rule = (
                    f"{find_method(config.method).title} has no mask; τ and ρ have no part in it."
                )
            else:
                found = select_movable(self._run, self._fisher, config)
                rule = "ρ keeps the best of the mask by forget/retain Fisher ratio."
                if self.rho.disabled:
                    rule = "The mask alone decides; ρ has a part in floor in_loop only."
            self.chart.show(charts.movable_share(found, self._weights))
            total = sum(weight.numel() for weight in self._weights.values())
            if found.left_out:
                rule += f" Layer {', '.join(map(str, found.left_out))} would leave the training."
            self.words.say(
                f"{found.count:,} of {total:,} weights ({found.count / total:.2%}) could be "
                f"trained. {rule} Answered in {time.monotonic() - begin:.1f} s."
            )
            self._take()

    def _take(self) -> None:
        """Shows the setting where it is copied, and what is known of its training."""
        self.state.show(self.config)
        self.live.look()


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


def _weight(value: float) -> widgets.FloatSlider:
    """λ, in steps of a tenth."""
    return widgets.FloatSlider(
        value=value,
        min=0.0,
        max=max(_MOST_WEIGHT, value),
        step=0.1,
        description="λ, weight of the retain KL",
        tooltip=_HINTS["retain_weight"],
        continuous_update=False,
        style={"description_width": "190px"},
        layout={"width": "400px"},
    )
