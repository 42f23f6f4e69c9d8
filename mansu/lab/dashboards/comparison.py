"""Two circuits side by side, in one layout and on one scale."""

from dataclasses import dataclass

import ipywidgets as widgets
import torch
from IPython.display import display

from mansu.circuit import Circuit, EdgeScores
from mansu.lab import charts
from mansu.lab.dashboards.controls import Words, beside, dashboard, log_slider, set_range, switch
from mansu.lab.show import is_live, show
from mansu.lab.widgets import CircuitGraph
from mansu.lab.widgets.circuit_graph import drawing_of

_LEAST = 1e-4  # of the strongest |score|: what lies below cannot be seen


@dataclass(frozen=True)
class Shown:
    """A circuit to show.

    Attributes:
        scores: Its edge scores.
        circuit: Its MLPs.
        name: What a reader calls it.
    """

    scores: EdgeScores
    circuit: Circuit
    name: str


def compare(first: Shown, second: Shown) -> None:
    """Shows two circuits: two models, two fact sets, two precisions, causal and random.

    Args:
        first: The one on the left.
        second: The one on the right.
    """
    if is_live():
        display(Comparison(first, second).box)
        return
    for shown in (first, second):
        show(charts.circuit_graph(shown.scores, shown.circuit, shown.name))


class Comparison:
    """Two linked graphs and what they have in common.

    Attributes:
        box: The widgets.
        graphs: Left and right.
        words: The comparison in numbers.
    """

    def __init__(self, first: Shown, second: Shown) -> None:
        self.graphs = (CircuitGraph(with_details=False), CircuitGraph(with_details=False))
        hint = "Weaker edges are hidden in both graphs"
        self.threshold = log_slider("least |score| (logits)", 1e-3, 1e-3, 1.0, hint, at_once=True)
        self.only = switch("only edges into the circuit", False, "Hides all other edges in both")
        self.words = Words(2)
        for graph in self.graphs:
            widgets.jslink((self.threshold, "value"), (graph, "threshold"))
            widgets.jslink((self.only, "value"), (graph, "only_circuit"))
            graph.layout = widgets.Layout(flex="1 1 420px", min_width="0")
        widgets.jslink((self.graphs[0], "selected"), (self.graphs[1], "selected"))
        self.box = dashboard(
            beside(self.threshold, self.only), self.words.box, beside(*self.graphs)
        )
        self.show(first, second)

    def show(self, first: Shown, second: Shown) -> None:
        """Shows two other circuits."""
        drawings = [drawing_of(shown.scores, shown.name) for shown in (first, second)]
        most = max((abs(e["score"]) for d in drawings for e in d["edges"]), default=1.0)
        for graph, shown, drawing in zip(self.graphs, (first, second), drawings, strict=True):
            with graph.hold_sync():
                graph.selected = ""
                graph.limit = most  # the same width is the same score in both
                graph.circuits = [list(shown.circuit.layers)]
                graph.drawing = drawing
        set_range(self.threshold, *drawn_range(*self.graphs))
        self.words.say(agreement(first, second))


def drawn_range(*graphs: CircuitGraph) -> tuple[float, float]:
    """|score| of the weakest drawn edge that can be seen, and of the strongest, in logits."""
    sizes = [abs(edge["score"]) for graph in graphs for edge in graph.drawing["edges"]]
    if not sizes or min(sizes) == max(sizes):
        return 1e-3, 1.0
    return max(min(sizes), _LEAST * max(sizes)), max(sizes)


def agreement(first: Shown, second: Shown) -> str:
    """How far two circuits agree, in a sentence or two."""
    common = set(first.circuit.layers) & set(second.circuit.layers)
    said = (
        f"{first.name}: layers {_listed(first.circuit)}. {second.name}: layers "
        f"{_listed(second.circuit)}."
    )
    if first.scores.graph != second.scores.graph:
        return said + " The models differ in shape, so layers cannot be matched."
    said += f" {len(common)} in common."
    mask = first.scores.graph.mask
    both = torch.stack([shown.scores.scores[mask].double() for shown in (first, second)])
    if torch.equal(both[0], both[1]):
        return said + " The edge scores are the same; only the choice differs."
    r = torch.corrcoef(both)[0, 1].item()
    return said + f" Edge scores correlate at r = {r:.2f} over {int(mask.sum()):,} edges."


def _listed(circuit: Circuit) -> str:
    return ", ".join(map(str, circuit.layers))
