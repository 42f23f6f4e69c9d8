"""Notebook 6's dashboard: the circuit before and after, edge by edge and as two graphs."""

import threading

from IPython.display import display

from mansu.lab import charts
from mansu.lab.dashboards.comparison import Comparison, Shown, compare
from mansu.lab.dashboards.controls import Words, at_start, beside, choice, column, dashboard
from mansu.lab.dashboards.pane import Pane
from mansu.lab.dashboards.state import StateRow, require_same
from mansu.lab.reading import NAMES, reading_of
from mansu.lab.show import is_live
from mansu.study.config import StudyConfig
from mansu.study.run import Run
from mansu.study.stages.analyse import analyse as scorecard
from mansu.study.stages.analyse import compare_states
from mansu.study.stages.localize import localize
from mansu.study.stages.states import Attributions, attribute_states


def analyse(run: Run) -> None:
    """Shows the dashboard; in a batch run, the circuit before and after as pictures.

    Args:
        run: The notebook's run.
    """
    if is_live():
        display(AnalysisDashboard(run).box)
    else:
        states, circuit = attribute_states(run), localize(run).circuit
        compare(
            Shown(states.original.scores, circuit, "before"),
            Shown(states.unlearned.scores, circuit, "after"),
        )


class AnalysisDashboard:
    """Precision and threshold, two graphs, a scatter, CAD with its companions, and the reading.

    Attributes:
        box: The widgets.
        precision: Of the models that are compared.
        comparison: The circuit before and after; its threshold filters the scatter as well.
        words: The joint reading.
    """

    def __init__(self, run: Run) -> None:
        self._run, self._drawing = run, threading.RLock()
        self._states: Attributions = attribute_states(run)
        self._circuit = localize(run).circuit
        self._card = scorecard(run)
        structure = compare_states(run, self._states)
        names = [(name, precision) for precision, name in NAMES.items()]
        self.precision = choice("precision", "fp", names, "Of both models that are compared")
        self.words = Words(4)
        self.comparison = Comparison(*self._pair())
        # The scatter is drawn by the kernel, so the slider speaks when it is released.
        self.comparison.threshold.continuous_update = False
        self.scatter, self.cad, self.shift = Pane(510), Pane(370), Pane(340)
        self.cad.show(charts.divergence_chart(structure))
        self.shift.show(charts.shift_chart(structure))
        self.state = StateRow(run.config, self.load)
        self.box = dashboard(
            self.precision,
            self.words.box,
            beside(
                column(self.scatter.box, flex="1 1 420px"),
                column(self.cad.box, self.shift.box, flex="1 1 560px"),
            ),
            self.comparison.box,
            self.state.box,
        )
        self._draw()
        self.precision.observe(lambda change: self._turn(), "value")
        self.comparison.threshold.observe(lambda change: self._draw(), "value")

    def load(self, config: StudyConfig) -> None:
        """Refuses every configuration but the run's own, which is all this dashboard shows.

        Raises:
            InputError: It is another one; the notebook's parameters cell opens it.
        """
        require_same(config, self._run.config, "one finished run", ())

    @property
    def least(self) -> float:
        """|score| in logits below which an edge is hidden; 0 at the slider's lower end."""
        slider = self.comparison.threshold
        return 0.0 if at_start(slider) else slider.value

    def _pair(self) -> tuple[Shown, Shown]:
        states = self._states
        before, after = {
            "fp": (states.original, states.unlearned),
            "nf4": (states.original_nf4, states.unlearned_nf4),
        }[str(self.precision.value)]
        name = NAMES[str(self.precision.value)]
        return (
            Shown(before.scores, self._circuit, f"before, {name}"),
            Shown(after.scores, self._circuit, f"after, {name}"),
        )

    def _turn(self) -> None:
        with self._drawing:
            self.comparison.show(*self._pair())
            self._draw()

    def _draw(self) -> None:
        with self._drawing:
            before, after = self._pair()
            name = NAMES[str(self.precision.value)]
            chart = charts.edge_panel(before.scores, after.scores, self._circuit, name, self.least)
            self.scatter.show(chart)
            reading = reading_of(self._card, str(self.precision.value))
            self.words.say(f"In {name}: {reading}")
