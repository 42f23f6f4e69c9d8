"""Notebook 2's dashboard: the circuit as a graph, its ranking, its faithfulness, its neighbours."""

import threading

import ipywidgets as widgets
from IPython.display import display

from mansu.circuit import EdgeScores, Stability, select, stability
from mansu.lab import charts
from mansu.lab.dashboards.comparison import Comparison, drawn_range
from mansu.lab.dashboards.controls import (
    beside,
    choice,
    column,
    dashboard,
    log_slider,
    set_range,
    slider,
    switch,
)
from mansu.lab.dashboards.jobs import Jobs, telling
from mansu.lab.dashboards.pane import Pane
from mansu.lab.dashboards.partners import Partner, both, partners
from mansu.lab.dashboards.runs import SCORED, change, open_beside
from mansu.lab.dashboards.state import StateRow, require_same
from mansu.lab.show import is_live, show
from mansu.lab.widgets import CircuitGraph
from mansu.lab.widgets.circuit_graph import circuits_of
from mansu.lab.widgets.details import details_of, read_examples
from mansu.study.check import require_layers
from mansu.study.config import FIELDS, StudyConfig, choices, describe
from mansu.study.run import Progress, Run
from mansu.study.stages.draw import draw
from mansu.study.stages.faithfulness import measure_faithfulness
from mansu.study.stages.gradual import GradualScores
from mansu.study.stages.localize import localize

RESAMPLES = 1000
_MAPS = {
    "net score by component": lambda scores, circuit: charts.source_map(scores),
    "mass in and out": lambda scores, circuit: charts.mass_map(scores),
    "help and hindrance": charts.signed_mass,
}
_UNSCORED = tuple(field.name for field in FIELDS if field.name not in SCORED)
_TABS = ("Graph", "Heat maps", "Ranking", "Faithfulness", "Two circuits")


def inspect(run: Run) -> None:
    """Shows the dashboard; in a batch run, the circuit as a picture.

    Args:
        run: The notebook's run.
    """
    if is_live():
        display(InspectDashboard(run).box)
    else:
        located = localize(run)
        show(charts.circuit_graph(located.scores, located.circuit))


class InspectDashboard:
    """Controls, five views of one circuit, and its configuration.

    Attributes:
        box: The widgets.
        graph: The circuit as a graph.
        top_k: Size of the circuit.
        kind: How it is chosen.
        threshold: Edges of smaller |score| are hidden; filters in the browser.
    """

    def __init__(self, run: Run) -> None:
        config = run.config
        self._run, self._config, self._drawing = run, config, threading.RLock()
        self.scores: EdgeScores = localize(run).scores
        self._pairs = draw(run).pairs
        self._examples = read_examples(self._pairs, run.model.tokenizer, run.forget.masked)
        self._found: dict[int, Stability] = {}
        hints = {field.name: describe(field) for field in FIELDS}
        kinds = {field.name: choices(field) or () for field in FIELDS}["circuit"]
        layers = self.scores.graph.layers
        self.top_k = slider("top-k (MLPs)", config.top_k, 1, layers, hints["top_k"], at_once=True)
        self.kind = choice("circuit", config.circuit, kinds, hints["circuit"])
        hint = "Weaker edges are hidden"
        self.threshold = log_slider("least |score| (logits)", 1e-3, 1e-3, 1.0, hint, at_once=True)
        self.only = switch("only edges into the circuit", False, "Hides all other edges")
        self.graph = CircuitGraph()
        widgets.jslink((self.top_k, "value"), (self.graph, "top_k"))
        widgets.jslink((self.threshold, "value"), (self.graph, "threshold"))
        widgets.jslink((self.only, "value"), (self.graph, "only_circuit"))
        self.graph.observe(lambda change: self._choose(change["new"]), "selected")
        self.which = choice("map", next(iter(_MAPS)), list(_MAPS), "What is shown, by layer")
        self.map, self.ranking, self.curve = (
            Pane(500),
            Pane(430),
            Pane(490, "Faithfulness, once it is measured"),
        )
        self.faithful = Jobs(
            "Measure", "Patch circuits of growing size and measure M", self._measure
        )
        self._partners = {partner.name: partner for partner in partners(config)}
        names = list(self._partners)
        self.partner = choice("beside it", names[0], names, "What the circuit is compared to")
        self.comparing = Jobs("Compare", "Compute what is missing and show both", self._compare)
        self.comparison: Comparison | None = None
        self._known: dict[Partner, GradualScores] = {}
        self._pair_place = widgets.VBox([], layout={"overflow": "visible"})
        self.state = StateRow(config, self.load)
        self.tabs = widgets.Tab(
            [
                column(beside(self.threshold, self.only), self.graph),
                column(self.which, self.map.box),
                column(self.ranking.box),
                column(self.faithful.box, self.curve.box),
                column(beside(self.partner, self.comparing.box), self._pair_place),
            ],
            titles=_TABS,
        )
        for view in self.tabs.children:
            view.layout.min_height = "700px"  # so that nothing jumps from one tab to the next
        self.box = dashboard(beside(self.top_k, self.kind), self.tabs, self.state.box)
        self.graph.top_k = config.top_k
        self._draw_graph()
        self.top_k.observe(lambda change: self._changed(), "value")
        self.kind.observe(lambda change: self._changed(redraw=True), "value")
        self.which.observe(lambda change: self._draw_view(), "value")
        self.tabs.observe(lambda change: self._draw_view(), "selected_index")

    @property
    def config(self) -> StudyConfig:
        """What the controls say."""
        return change(self._config, top_k=self.top_k.value, circuit=self.kind.value)

    def load(self, config: StudyConfig) -> None:
        """Sets the controls to a configuration of the same model, facts and attribution.

        Raises:
            InputError: It is another one; the notebook's parameters cell opens it.
        """
        own = {"top_k": self._run.config.top_k, "circuit": self._run.config.circuit}
        there = change(config, **own)
        require_same(there, self._run.config, "one attribution", _UNSCORED)
        require_layers(config)
        self._config = config
        self.top_k.value, self.kind.value = config.top_k, config.circuit
        self.state.show(config)

    def _changed(self, redraw: bool = False) -> None:
        self.state.show(self.config)
        if redraw:
            self.graph.circuits = circuits_of(self.scores, self.config.circuit)
        self._draw_view()

    def _choose(self, node: str) -> None:
        self.graph.details = details_of(self.scores, node, self._examples) if node else {}

    def _draw_graph(self) -> None:
        self.graph.draw(self.scores, self.config.circuit)
        set_range(self.threshold, *drawn_range(self.graph))

    def _draw_view(self) -> None:
        """Draws what the open tab shows; the others wait until they are opened."""
        with self._drawing:
            circuit = select(self.scores, self.top_k.value, self.config.circuit)
            open_tab = _TABS[self.tabs.selected_index or 0]
            if open_tab == "Heat maps":
                self.map.show(_MAPS[str(self.which.value)](self.scores, circuit))
            elif open_tab == "Ranking":
                size = len(circuit.layers)
                if size not in self._found:
                    self._found[size] = stability(self.scores, size, RESAMPLES)
                chart = charts.ranking_stability(self._found[size], circuit, RESAMPLES)
                self.ranking.show(chart)

    def _measure(self) -> None:
        self.faithful.work(self._measure_faithfulness)

    def _measure_faithfulness(self, tell: Progress) -> None:
        config = self.config
        run = self._run if config == self._run.config else open_beside(self._run, config, tell)
        with telling(run, tell):
            curve = measure_faithfulness(run)
        facts = [pair.fact_id for pair in self._pairs]
        self.curve.show(charts.faithfulness(curve, localize(run).circuit, facts))

    def _compare(self) -> None:
        self.comparing.work(self._show_both)

    def _show_both(self, tell: Progress) -> None:
        partner = self._partners[str(self.partner.value)]
        pair = both(self._run, partner, self.top_k.value, self.config.circuit, self._known, tell)
        if self.comparison is None:
            self.comparison = Comparison(*pair)
            self._pair_place.children = (self.comparison.box,)
        else:
            self.comparison.show(*pair)
