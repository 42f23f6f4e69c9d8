"""Where a circuit for some facts lies between known and made-up ones, by known answers."""

import pytest
import torch

from mansu.circuit import Circuit, EdgeScores, Graph
from mansu.errors import InputError
from mansu.metrics.position import Group, circuit_position

GRAPH = Graph(layers=3, heads=2, kv_heads=1)
CIRCUIT = Circuit((1, 2), "causal")
PAIRS = 24
FACTS = [f"fact {i // 2}" for i in range(PAIRS)]


def group(mlp: torch.Tensor) -> Group:
    mean, none = torch.zeros(GRAPH.sources, GRAPH.readers), torch.zeros(PAIRS)
    return Group(EdgeScores(GRAPH, mean, mlp, mlp, none, none), FACTS)


def drawn(seed: int, noise: float = 0.05) -> torch.Tensor:
    """Scores of pairs that share a circuit, which the seed draws."""
    torch.manual_seed(seed)
    shared = torch.randn(1, GRAPH.sources, GRAPH.layers)
    return shared + noise * torch.randn(PAIRS, GRAPH.sources, GRAPH.layers)


def test_facts_that_are_looked_up_as_known_ones_are_lie_at_zero_and_made_up_ones_at_one() -> None:
    known, made_up = drawn(0), 0.1 * drawn(1)
    same = circuit_position(group(known), group(known), group(made_up), CIRCUIT)
    assert same.value is not None
    assert same.value.value == pytest.approx(0, abs=1e-12)
    other = circuit_position(group(known), group(made_up), group(made_up), CIRCUIT)
    assert other.value is not None
    assert other.value.value == pytest.approx(1, abs=1e-12)


def test_a_circuit_at_half_work_lies_half_way_to_one_that_does_not_work() -> None:
    known, nothing = drawn(0), torch.zeros(PAIRS, GRAPH.sources, GRAPH.layers)
    found = circuit_position(group(known), group(known / 2), group(nothing), CIRCUIT)
    assert found.separation.value == pytest.approx(1)
    assert found.value is not None
    assert found.value.value == pytest.approx(0.5, abs=1e-6)
    assert found.value.low <= 0.5 <= found.value.high


def test_only_edges_into_the_circuit_count() -> None:
    known, made_up = drawn(0), torch.zeros(PAIRS, GRAPH.sources, GRAPH.layers)
    asked = known.clone()
    asked[:, :, 0] = -9
    found = circuit_position(group(known), group(asked), group(made_up), CIRCUIT)
    assert found.value is not None
    assert found.value.value == pytest.approx(0, abs=1e-12)


def test_there_is_no_position_where_made_up_facts_look_like_known_ones() -> None:
    known = drawn(0)
    found = circuit_position(group(known), group(drawn(1)), group(known.clone()), CIRCUIT)
    assert found.value is None
    assert found.separation.value == pytest.approx(0, abs=1e-12)


def test_a_circuit_that_no_known_fact_uses_is_refused() -> None:
    nothing = torch.zeros(PAIRS, GRAPH.sources, GRAPH.layers)
    with pytest.raises(InputError, match="scores zero"):
        circuit_position(group(nothing), group(drawn(0)), group(drawn(1)), CIRCUIT)
