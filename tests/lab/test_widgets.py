"""The circuit's layout, what is drawn of it, and what is told of a node."""

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mansu.circuit import Graph, rank_mlps
from mansu.lab.widgets import CircuitGraph
from mansu.lab.widgets.circuit_graph import circuits_of, drawing_of
from mansu.lab.widgets.details import Example, details_of
from mansu.lab.widgets.layout import EDGES, draw_edges, lay_out, reader_nodes
from tests.lab.made_up import MARKUP, PAIRS, make_scores

EXAMPLES = [Example((MARKUP, " a"), (MARKUP, " b"), " x", " y")] * PAIRS
graphs = st.integers(1, 4).flatmap(
    lambda kv: st.builds(Graph, st.integers(1, 6), st.sampled_from([kv, 2 * kv]), st.just(kv))
)


@given(graphs)
@settings(deadline=None)
def test_nodes_never_share_a_place_and_every_reader_has_one(graph: Graph) -> None:
    nodes = lay_out(graph)
    assert len({(n.x, n.y) for n in nodes}) == len(nodes) == len({n.name for n in nodes})
    names = {node.name for node in nodes}
    assert set(reader_nodes(graph)) | set(graph.source_names) == names


@given(graphs, st.integers(0, 9))
@settings(deadline=None, max_examples=40)
def test_a_drawn_edge_never_points_down(graph: Graph, seed: int) -> None:
    scores = make_scores(graph, torch.Generator().manual_seed(seed))
    drawing = draw_edges(scores)
    height = {node.name: node.y for node in drawing.nodes}
    assert all(height[edge.source] < height[edge.target] for edge in drawing.edges)


def test_the_strongest_edges_are_drawn_and_the_rest_is_counted() -> None:
    scores = make_scores(Graph(12, 9, 3), torch.Generator().manual_seed(0))
    drawing = draw_edges(scores)
    sizes = [abs(edge.score) for edge in drawing.edges]
    assert len(sizes) == EDGES
    assert sizes == sorted(sizes, reverse=True)
    every = scores.scores[scores.graph.mask].abs()
    assert drawing.total == len(every)
    assert int((every > sizes[-1]).sum()) < EDGES
    assert drawing.share == pytest.approx(sum(sizes) / every.sum().item(), rel=1e-5)


def test_what_is_sent_to_the_browser_stays_small() -> None:
    scores = make_scores(Graph(30, 9, 3), torch.Generator().manual_seed(0))
    assert len(json.dumps(drawing_of(scores))) < 120_000


def test_the_browser_knows_the_circuit_of_every_size(made) -> None:
    circuits = circuits_of(made.scores, "causal")
    for k, layers in enumerate(circuits, 1):
        assert sorted(rank_mlps(made.scores)[:k]) == layers


def test_drawing_other_scores_lets_the_chosen_node_go(made) -> None:
    graph = CircuitGraph()
    graph.draw(made.scores, "causal")
    graph.selected, graph.details = "m1", {"node": "m1"}
    graph.draw(made.scores, "inverse")
    assert (graph.selected, graph.details) == ("", {})
    assert graph.limit == pytest.approx(made.scores.scores.abs().max().item())


@pytest.mark.parametrize("node", [node.name for node in lay_out(Graph(6, 4, 2))])
def test_a_node_s_edges_are_its_own_and_its_strongest(made, node: str) -> None:
    graph, scores = made.scores.graph, made.scores.scores
    details = details_of(made.scores, node, EXAMPLES)
    owners = reader_nodes(graph)
    columns = [r for r, owner in enumerate(owners) if owner == node]
    into = scores[:, columns].abs().flatten()
    if columns:
        assert abs(details["reads"][0]["score"]) == pytest.approx(into.max().item())
    for row in details["reads"]:
        assert owners[graph.reader_names.index(row["edge"].split(" → ")[1])] == node
    assert all(row["edge"].startswith(f"{node} → ") for row in details["writes"])
    json.dumps(details, allow_nan=False)


def test_the_examples_of_an_mlp_add_up_to_the_mean_score_of_what_it_reads(made) -> None:
    details = details_of(made.scores, "m3", EXAMPLES)
    column = made.scores.scores[:, made.scores.graph.mlp_reader(3)]
    assert len(details["examples"]) + details["left"] == PAIRS
    mean = sum(row["score"] for row in details["examples"]) / PAIRS
    assert mean == pytest.approx(column.sum().item(), rel=1e-4)


def test_markup_of_a_fact_file_reaches_the_browser_as_text_only(made) -> None:
    details = details_of(made.scores, "m3", EXAMPLES)
    assert details["examples"][0]["clean"][0] == MARKUP
    script = CircuitGraph._esm
    text = str(script) if not hasattr(script, "read_text") else script.read_text()
    for word in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "http://cdn",
        "import ",
    ):
        assert word not in text


def test_keys_and_values_have_no_scores_of_single_examples_and_say_so(made) -> None:
    details = details_of(made.scores, "kv2.1", EXAMPLES)
    assert details["examples"] == []
    assert "MLPs only" in details["told"]
