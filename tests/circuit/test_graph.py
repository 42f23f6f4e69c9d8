"""Order, names and causality of the edge graph."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mansu.circuit import Graph
from mansu.circuit.graph import ReaderKind, SourceKind
from mansu.errors import InputError
from mansu.models.language_model import LanguageModel

GRAPHS = st.builds(
    lambda layers, shared, group: Graph(layers, shared * group, shared),
    st.integers(1, 5),
    st.integers(1, 3),
    st.integers(1, 3),
)


def time_of(name: str, reads: bool) -> int:
    """When a node acts, from its name alone: each layer is read qkv, write a, read m, write m."""
    if name in ("emb", "logits"):
        return -1 if name == "emb" else 10**6
    layer = 4 * int(name[1:].split(".")[0])
    if name[0] == "m":
        return layer + (2 if reads else 3)
    return layer + (1 if name[0] == "a" else 0)


@given(GRAPHS)
def test_an_edge_exists_exactly_where_the_source_writes_before_the_reader_reads(graph: Graph):
    expected = [
        [time_of(source, False) < time_of(reader, True) for reader in graph.reader_names]
        for source in graph.source_names
    ]
    assert torch.equal(graph.mask, torch.tensor(expected))


@given(GRAPHS)
def test_kind_layer_and_head_of_every_node_agree_with_its_name(graph: Graph):
    letters = {SourceKind.EMBEDDING: "e", SourceKind.HEAD: "a", SourceKind.MLP: "m"}
    columns = (graph.source_kind, graph.source_layer, graph.source_head)
    for name, kind, layer, head in zip(
        graph.source_names, *(column.tolist() for column in columns), strict=True
    ):
        assert name[0] == letters[SourceKind(kind)]
        places = {"e": "emb", "a": f"a{layer}.h{head}", "m": f"m{layer}"}
        assert name == places[name[0]]
    columns = (graph.reader_kind, graph.reader_layer, graph.reader_head)
    for name, kind, layer, head in zip(
        graph.reader_names, *(column.tolist() for column in columns), strict=True
    ):
        letter = "qkvml"[ReaderKind(kind)]
        assert name == {"m": f"m{layer}", "l": "logits"}.get(letter, f"{letter}{layer}.{head}")


@given(GRAPHS)
def test_indices_of_layers_and_names_agree(graph: Graph):
    assert len(graph.source_names) == graph.sources
    assert len(graph.reader_names) == graph.readers
    assert graph.reader_names[graph.logits] == "logits"
    for layer in range(graph.layers):
        heads = tuple(f"a{layer}.h{head}" for head in range(graph.heads))
        assert graph.source_names[graph.layer_heads(layer)] == heads
        assert graph.source_names[graph.mlp_source(layer)] == f"m{layer}"
        assert graph.reader_names[graph.mlp_reader(layer)] == f"m{layer}"
        assert graph.mlp_readers[layer] == graph.mlp_reader(layer)
        readers = graph.reader_names[graph.attention_readers(layer)]
        assert [name[0] for name in readers] == (
            ["q"] * graph.heads + ["k"] * graph.kv_heads + ["v"] * graph.kv_heads
        )


def test_the_graph_of_a_model_has_its_counts(llama: LanguageModel):
    graph = Graph.of(llama)
    assert (graph.layers, graph.heads, graph.kv_heads) == (3, 4, 2)
    assert (graph.sources, graph.readers) == (16, 28)


def test_an_edge_is_found_by_the_names_of_its_ends():
    graph = Graph(2, 2, 1)
    assert graph.edge("emb", "q0.0") == (0, 0)
    assert graph.edge("a1.h1", "m1") == (graph.sources - 2, graph.readers - 2)
    with pytest.raises(InputError, match="writes after"):
        graph.edge("a1.h1", "q1.0")
    with pytest.raises(InputError, match="no node"):
        graph.edge("a2.h0", "logits")
