"""Notebook 6's dashboard: the circuit before and after, edge by edge and as two graphs."""

import threading

from altair.typing import ChartType
from IPython.display import display

from mansu.lab import charts
from mansu.lab.dashboards.comparison import Comparison, Shown, compare
from mansu.lab.dashboards.controls import Words, at_start, beside, choice, column, dashboard
from mansu.lab.dashboards.pane import Pane
from mansu.lab.dashboards.state import StateRow, require_same
from mansu.lab.show import is_live
from mansu.study.config import StudyConfig
from mansu.study.readings.joint import reading_of
from mansu.study.run import Run
from mansu.study.stages.attack import read_relearning
from mansu.study.stages.attribute import attribute, attribute_all
from mansu.study.stages.depth import measure_depth
from mansu.study.stages.draw import draw
from mansu.study.stages.judge import judge
from mansu.study.stages.localize import choose_circuit
from mansu.study.state import FP, State, format_title, states


def analyse(run: Run) -> None:
    """Shows the dashboard; in a batch run, the circuit before and after as pictures.

    Args:
        run: The notebook's run.
    """
    if is_live():
        display(AnalysisDashboard(run).box)
    else:
        circuit = choose_circuit(run)
        pair = [attribute(run, State(origin, FP)).scores for origin in ("original", "unlearned")]
        compare(Shown(pair[0], circuit, "before"), Shown(pair[1], circuit, "after"))


def depth_map(run: Run, state: State) -> ChartType:
    """Where a state still holds each fact of the run's pairs."""
    facts = [pair.fact_id for pair in draw(run).pairs]
    return charts.depth_map(
        measure_depth(run, state), facts, run.forget, choose_circuit(run), state
    )


class AnalysisDashboard:
    """Precision and threshold, two graphs, a scatter, CAD, depth, and the reading.

    Below them what a relearning attack brought back, where one is stored.

    Attributes:
        box: The widgets.
        precision: Of the models that are compared.
        comparison: The circuit before and after; its threshold filters the scatter as well.
        words: The joint reading.
        attack: How to get an attack, where none is stored.
    """

    def __init__(self, run: Run) -> None:
        self._run, self._drawing = run, threading.RLock()
        self._states = attribute_all(run, states(run))
        self._circuit = choose_circuit(run)
        self._card = judge(run)
        rows = self._card.rows
        names = [(format_title(form), form) for form in rows.formats]
        self.precision = choice("precision", FP, names, "Of both models that are compared")
        self.words = Words(4)
        self.comparison = Comparison(*self._pair())
        # The scatter is drawn by the kernel, so the slider speaks when it is released.
        self.comparison.threshold.continuous_update = False
        self.scatter, self.cad, self.shift = Pane(510), Pane(370), Pane(340)
        self.depth = Pane(680)
        self.cad.show(charts.divergence_chart(rows))
        self.shift.show(charts.shift_chart(rows))
        self.relearned, self.attack = Pane(380), Words()
        self._attacks = read_relearning(run)
        self.state = StateRow(run.config, self.load)
        self.box = dashboard(
            self.precision,
            self.words.box,
            beside(
                column(self.scatter.box, flex="1 1 420px"),
                column(self.cad.box, self.shift.box, flex="1 1 560px"),
            ),
            self.depth.box,
            self.comparison.box,
            self.attack.box if self._attacks is None else self.relearned.box,
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

    @property
    def _form(self) -> str:
        return str(self.precision.value)

    def _pair(self) -> tuple[Shown, Shown]:
        before, after = (
            self._states[State(origin, self._form)].scores for origin in ("original", "unlearned")
        )
        name = format_title(self._form)
        return (
            Shown(before, self._circuit, f"before, {name}"),
            Shown(after, self._circuit, f"after, {name}"),
        )

    def _turn(self) -> None:
        with self._drawing:
            self.comparison.show(*self._pair())
            self._draw()

    def _draw(self) -> None:
        with self._drawing:
            before, after = self._pair()
            self.scatter.show(
                charts.edge_panel(
                    before.scores, after.scores, self._circuit, self._form, self.least
                )
            )
            state = State("unlearned", self._form)
            self.depth.show(depth_map(self._run, state))
            if self._attacks is None:
                self.attack.say(charts.NOT_ATTACKED)
            elif self._form in self._attacks:
                shown = charts.relearning_chart(self._attacks, self._form)
                self.relearned.show(shown)
            reading = reading_of(self._card, state)
            self.words.say(f"In {format_title(self._form)}: {reading}")
