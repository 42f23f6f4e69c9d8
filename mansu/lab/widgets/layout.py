"""Where the nodes of a circuit stand, and which of its edges are worth drawing.

One layer a row, the embedding at the bottom, the logits on top; MLPs in a column of their own on
the left, heads to the right of it, shared key and value readers on the right. An MLP stands half a
row higher than the heads of its layer, because it reads what they wrote.
"""

from dataclasses import dataclass

from mansu.circuit import EdgeScores, Graph
from mansu.circuit.graph import ReaderKind

EDGES = 400  # drawn at most; more cannot be told apart, and a browser would stutter
MLP_COLUMN = 0.0
MLP_RISE = 0.45  # rows


@dataclass(frozen=True)
class Node:
    """One node.

    Attributes:
        name: ``emb``, ``a3.h5``, ``kv3.1``, ``m7`` or ``logits``.
        kind: ``emb``, ``head``, ``kv``, ``mlp`` or ``logits``.
        layer: -1 for the embedding, the number of layers for the logits.
        x: Column, MLPs at 0.
        y: Row, 0 for the first layer.
    """

    name: str
    kind: str
    layer: int
    x: float
    y: float

    @property
    def title(self) -> str:
        """The name in words."""
        number = self.name.split(".")[-1].removeprefix("h")
        return {
            "emb": "token embedding",
            "head": f"head {number} of layer {self.layer}",
            "kv": f"key and value input {number} of layer {self.layer}",
            "mlp": f"MLP of layer {self.layer}",
            "logits": "logits",
        }[self.kind]


@dataclass(frozen=True)
class Edge:
    """One drawn edge.

    Attributes:
        source: Name of the node that writes.
        target: Name of the node that reads.
        reader: Name of the reader inside the target: ``q3.5``, ``k3.1``, ``m7`` …
        score: Mean over the pairs, in logits; negative helps.
    """

    source: str
    target: str
    reader: str
    score: float


@dataclass(frozen=True)
class Drawing:
    """What is drawn of a circuit.

    Attributes:
        nodes: All nodes, bottom row first.
        edges: The strongest edges, strongest first.
        total: Edges of the graph.
        share: Share of all |score| that the drawn edges hold.
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    total: int
    share: float


def lay_out(graph: Graph) -> tuple[Node, ...]:
    """Places the nodes of a graph."""
    middle = (graph.heads + graph.kv_heads + 2) / 2
    nodes = [Node("emb", "emb", -1, middle, -1.0)]
    for layer in range(graph.layers):
        row = float(layer)
        nodes += [Node(f"a{layer}.h{h}", "head", layer, h + 2.0, row) for h in range(graph.heads)]
        nodes += [
            Node(f"kv{layer}.{h}", "kv", layer, h + graph.heads + 2.5, row)
            for h in range(graph.kv_heads)
        ]
        nodes.append(Node(f"m{layer}", "mlp", layer, MLP_COLUMN, row + MLP_RISE))
    return (*nodes, Node("logits", "logits", graph.layers, middle, graph.layers + MLP_RISE))


def reader_nodes(graph: Graph) -> tuple[str, ...]:
    """The node that each reader belongs to, ``[readers]``."""
    kind, layer, head = graph.reader_kind, graph.reader_layer, graph.reader_head
    names = {
        ReaderKind.QUERY: "a{}.h{}",
        ReaderKind.KEY: "kv{}.{}",
        ReaderKind.VALUE: "kv{}.{}",
        ReaderKind.MLP: "m{}",
        ReaderKind.LOGITS: "logits",
    }
    return tuple(
        names[ReaderKind(k)].format(place, number)
        for k, place, number in zip(kind.tolist(), layer.tolist(), head.tolist(), strict=True)
    )


def draw_edges(scores: EdgeScores, most: int = EDGES) -> Drawing:
    """Chooses the edges to draw: the strongest, zeros never."""
    graph, size = scores.graph, scores.scores.abs()
    targets = reader_nodes(graph)
    count = min(most, int((size > 0).sum()))
    edges = []
    for cell in size.flatten().topk(count).indices.tolist():
        source, reader = divmod(cell, graph.readers)
        names = graph.source_names[source], targets[reader], graph.reader_names[reader]
        edges.append(Edge(*names, scores.scores[source, reader].item()))
    whole = size.sum().item()
    held = sum(abs(edge.score) for edge in edges)
    total = int(graph.mask.sum())
    return Drawing(lay_out(graph), tuple(edges), total, held / whole if whole else 1.0)
