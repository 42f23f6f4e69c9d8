"""The circuit as a layered graph in the browser; thresholds filter there, without the kernel."""

from pathlib import Path
from typing import Any

import anywidget
import traitlets

from mansu.circuit import EdgeScores, select
from mansu.circuit.selection import Kind
from mansu.lab.theme import BLUE, ORANGE, SKY
from mansu.lab.widgets.layout import draw_edges


class CircuitGraph(anywidget.AnyWidget):
    """Nodes by layer; edges by score and sign.

    Traits (all may be linked in the browser):
        drawing: Nodes and edges, as :func:`drawing_of` makes them.
        circuits: The circuit's layers for every size 1, 2, …, ``[[layer, …], …]``.
        top_k: Size of the circuit that stands out.
        threshold: Edges of smaller |score| are hidden; logits.
        only_circuit: Whether only edges into the circuit's MLPs are shown.
        limit: |score| of the widest edge; the same for graphs that are compared.
        selected: Name of the chosen node, or empty.
        details: What is known of it, as :func:`mansu.lab.widgets.details.details_of` makes it.
        with_details: Whether a panel shows them.
    """

    _esm = Path(__file__).with_suffix(".js")

    drawing = traitlets.Dict().tag(sync=True)
    circuits = traitlets.List().tag(sync=True)
    top_k = traitlets.Int(1).tag(sync=True)
    threshold = traitlets.Float(0.0).tag(sync=True)
    only_circuit = traitlets.Bool(False).tag(sync=True)
    limit = traitlets.Float(1.0).tag(sync=True)
    selected = traitlets.Unicode("").tag(sync=True)
    details = traitlets.Dict().tag(sync=True)
    with_details = traitlets.Bool(True).tag(sync=True)
    colours = traitlets.Dict({"helps": ORANGE, "hinders": BLUE, "hinders_dark": SKY}).tag(sync=True)

    def draw(self, scores: EdgeScores, kind: Kind, title: str = "") -> None:
        """Shows other scores."""
        drawing = drawing_of(scores, title)
        with self.hold_sync():
            self.selected, self.details = "", {}
            self.circuits = circuits_of(scores, kind)
            self.limit = max((abs(edge["score"]) for edge in drawing["edges"]), default=1.0)
            self.drawing = drawing


def drawing_of(scores: EdgeScores, title: str = "") -> dict[str, Any]:
    """Nodes and edges as the script reads them; scores in logits."""
    found = draw_edges(scores)
    index = {node.name: place for place, node in enumerate(found.nodes)}
    return {
        "title": title,
        "nodes": [
            {"name": n.name, "title": n.title, "kind": n.kind, "layer": n.layer, "x": n.x, "y": n.y}
            for n in found.nodes
        ],
        "edges": [
            {"from": index[e.source], "to": index[e.target], "reader": e.reader, "score": e.score}
            for e in found.edges
        ],
        "total": found.total,
        "share": found.share,
    }


def circuits_of(scores: EdgeScores, kind: Kind) -> list[list[int]]:
    """The circuit's layers for every size, so that a browser can change the size by itself."""
    return [list(select(scores, k, kind).layers) for k in range(1, scores.graph.layers + 1)]
