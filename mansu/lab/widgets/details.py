"""What is known of one node: its strongest edges, and its score on every example."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from mansu.circuit import EdgeScores, Graph
from mansu.data.pairs import Pair
from mansu.lab.widgets.layout import reader_nodes

EDGES = 12  # of a node
EXAMPLES = 12


@dataclass(frozen=True)
class Example:
    """A pair as its tokens' texts.

    Attributes:
        clean: Tokens of the clean prompt.
        corrupted: Tokens of the corrupted prompt, as many.
        answer: First token of the clean prompt's answer.
        other: First token of the corrupted prompt's answer.
    """

    clean: tuple[str, ...]
    corrupted: tuple[str, ...]
    answer: str
    other: str


def read_examples(
    pairs: Sequence[Pair], tokenizer: PreTrainedTokenizerBase, masked: bool = False
) -> tuple[Example, ...]:
    """The pairs as text; a mask in place of every token where none may be shown."""

    def words(ids: Sequence[int]) -> tuple[str, ...]:
        return tuple("▯" if masked else str(tokenizer.decode([token])) for token in ids)

    return tuple(
        Example(
            words(pair.clean),
            words(pair.corrupted),
            *words((pair.clean_answer, pair.corrupted_answer)),
        )
        for pair in pairs
    )


def details_of(scores: EdgeScores, node: str, examples: Sequence[Example]) -> dict[str, Any]:
    """What the graph's panel shows of a node.

    Scores of single examples are kept for edges into MLPs only. So a source's score on an example
    is the sum over the MLPs that read it, an MLP's own the sum over all that it reads, and the
    logits' is M itself.

    Args:
        scores: Edge scores.
        node: A node's name, see :class:`mansu.lab.widgets.layout.Node`.
        examples: The pairs in the order of the scores.
    """
    shown = {"node": node, "reads": _edges_into(scores, node), "writes": _edges_from(scores, node)}
    told, per_pair = _on_examples(scores, node)
    if per_pair is None:
        return shown | {"told": told, "examples": [], "left": 0}
    order = per_pair.abs().argsort(descending=True, stable=True).tolist()
    rows = [
        {
            "score": per_pair[row].item(),
            "metric": scores.metric[row].item(),
            "clean": list(examples[row].clean),
            "corrupted": list(examples[row].corrupted),
            "answer": examples[row].answer,
            "other": examples[row].other,
        }
        for row in order[:EXAMPLES]
    ]
    return shown | {"told": told, "examples": rows, "left": len(order) - len(rows)}


def _on_examples(scores: EdgeScores, node: str) -> tuple[str, torch.Tensor | None]:
    """What the scores of examples mean for a node, and the scores ``[pairs]``."""
    graph = scores.graph
    if node == "logits":
        return "M on each example", scores.metric
    if node.startswith("m"):
        layer = int(node[1:])
        return "score of all that this MLP reads", scores.mlp_scores[:, :, layer].sum(1)
    if node in graph.source_names:
        place = graph.source_names.index(node)
        return "score of what it writes into MLPs", scores.mlp_scores[:, place].sum(1)
    return "scores of single examples are kept for edges into MLPs only", None


def _edges_into(scores: EdgeScores, node: str) -> list[dict[str, Any]]:
    graph = scores.graph
    readers = [r for r, owner in enumerate(reader_nodes(graph)) if owner == node]
    if not readers:
        return []
    part = scores.scores[:, readers]  # [sources, readers of the node]
    return [
        {"edge": f"{graph.source_names[s]} → {graph.reader_names[readers[r]]}", "score": value}
        for (s, r), value in _strongest(part)
    ]


def _edges_from(scores: EdgeScores, node: str) -> list[dict[str, Any]]:
    graph: Graph = scores.graph
    if node not in graph.source_names:
        return []
    place = graph.source_names.index(node)
    part = scores.scores[place : place + 1]  # [1, readers]
    return [
        {"edge": f"{node} → {graph.reader_names[r]}", "score": value}
        for (_, r), value in _strongest(part)
    ]


def _strongest(part: torch.Tensor) -> list[tuple[tuple[int, int], float]]:
    """Cells of largest |score|, zeros never."""
    size = part.abs().flatten()
    cells = size.topk(min(EDGES, int((size > 0).sum()))).indices.tolist()
    width = part.shape[1]
    return [(divmod(cell, width), part[divmod(cell, width)].item()) for cell in cells]
