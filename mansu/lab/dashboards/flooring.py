"""Notebook 4's dashboard: other floors on the same training result, without training again."""

import threading
import time
from typing import Any

from IPython.display import display

from mansu.lab import charts
from mansu.lab.charts.permanence import MOST_BARS
from mansu.lab.dashboards.controls import (
    Words,
    at_start,
    beside,
    choice,
    column,
    dashboard,
    log_slider,
)
from mansu.lab.dashboards.pane import Pane
from mansu.lab.dashboards.retaining import RetainBound
from mansu.lab.dashboards.runs import change
from mansu.lab.dashboards.state import StateRow, require_same
from mansu.lab.dashboards.updates import Refloored, Updates
from mansu.lab.show import is_live, show
from mansu.quant import binned
from mansu.study.config import FIELDS, StudyConfig, describe, floors
from mansu.study.run import Run
from mansu.study.stages.fisher import trainable_weights
from mansu.study.stages.floor import floor as floor_stage
from mansu.study.stages.train import train

_LEAST = 1e-3  # bins: where the threshold slider begins
_ALL = "all"  # None would be a menu with nothing chosen


def floor(run: Run) -> None:
    """Shows the dashboard; in a batch run, what the run's floor made of every matrix.

    Args:
        run: The notebook's run.
    """
    if is_live():
        display(FloorDashboard(run).box)
    else:
        show(charts.fates(floor_stage(run).accounts))


class FloorDashboard:
    """Controls, charts of one update, its retain bound, and the configuration.

    Attributes:
        box: The widgets.
        kind: The floor.
        threshold: Updates of fewer bins are put back first; at its lower end, none is.
        layer: The layer that is shown, or all that were trained.
        words: The outcome in numbers.
        retain: What the update may cost the retain set, before and after.
        state: The configuration to copy and load.
    """

    def __init__(self, run: Run) -> None:
        config = run.config
        self._run, self._config, self._drawing = run, config, threading.RLock()
        every = trainable_weights(run)
        originals = binned(every)
        trained = binned(train(run).matrices(every))
        self._updates = Updates(originals, trained, *run.codebooks)
        hints = {field.name: describe(field) for field in FIELDS}
        self.kind = choice("floor", config.floor, floors(config.method), hints["floor"])
        self.threshold = log_slider(
            "least |Δ| (bins)", _LEAST, _LEAST, 10.0, "Smaller updates are put back first"
        )
        layers: list[tuple[str, Any]] = [("all layers", _ALL)]
        layers += [(f"layer {layer}", layer) for layer in self._updates.layers]
        self.layer = choice("layer", _ALL, layers, "Which matrices are floored and counted")
        self.words = Words(6)
        self.fates, self.ratios, self.crossings = (
            Pane(_height(len(originals))),
            Pane(400),
            Pane(430),
        )
        self.retain = RetainBound(run)
        self.state = StateRow(config, self.load)
        left = column(self.kind, self.threshold, self.layer, self.words.box, flex="0 1 420px")
        right = column(self.fates.box, self.ratios.box, self.crossings.box, flex="1 1 560px")
        self.box = dashboard(beside(left, right), self.retain.box, self.state.box)
        self._draw()
        for control in (self.kind, self.threshold, self.layer):
            control.observe(lambda change: self._draw(), "value")

    @property
    def config(self) -> StudyConfig:
        """What the controls say."""
        return change(self._config, floor=self.kind.value)

    def load(self, config: StudyConfig) -> None:
        """Takes the floor of a configuration that differs in nothing else.

        Raises:
            InputError: It would train otherwise; the notebook's parameters cell opens it.
        """
        require_same(config, self._run.config, "one training result", ("floor",))
        self._config = config
        self.kind.value = config.floor
        self.state.show(config)

    @property
    def least(self) -> float:
        """|Δ| in bins below which updates are put back; 0 at the slider's lower end."""
        return 0.0 if at_start(self.threshold) else self.threshold.value

    def _draw(self) -> None:
        with self._drawing:
            begin = time.monotonic()
            kind: Any = None if self.kind.value == "none" else self.kind.value
            layer = None if self.layer.value == _ALL else self.layer.value
            found = self._updates.refloor(kind, self.least, layer)
            self.fates.show(charts.fates(found.accounts))
            self.ratios.show(charts.ratio_histogram(found.accounts))
            self.crossings.show(charts.crossings(found.accounts))
            trained = self._updates.refloor(None, layer=layer)
            self.retain.show(trained.length, found.length)
            seconds = time.monotonic() - begin
            self.words.say(f"{_told(found)}{self._caution()} Answered in {seconds:.1f} s.")
            self.state.show(self.config)

    def _caution(self) -> str:
        """Where the charts are not what a run with this floor would give."""
        trained, shown = self._run.config.floor, str(self.kind.value)
        if (trained == "in_loop") == (shown == "in_loop"):
            return ""
        how = "through the quantizer" if shown == "in_loop" else "without the quantizer"
        return f" A run with floor {shown} would train {how}; here it meets this run's training."


def _height(matrices: int) -> int:
    """Pixels that the chart of what becomes of each matrix takes."""
    return 190 + 18 * min(matrices, MOST_BARS)


def _told(found: Refloored) -> str:
    total = found.accounts.iloc[-1]
    parts = [
        f"{total['changed']:,} of {total['size']:,} weights change; {total['survived']:,} cross a "
        f"boundary, {total['changed'] - total['survived']:,} would revert.",
        f"{total['collateral']:,} others change code with their block's scale.",
        f"{found.excluded:,} had no boundary to cross; {found.pinned:,} were pinned.",
    ]
    if found.dropped:
        parts.append(f"{found.dropped:,} lie below the threshold and were put back.")
    return " ".join(parts)
