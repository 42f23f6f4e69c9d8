import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mansu.circuit import Circuit, EdgeScores, Graph
from mansu.errors import InputError
from mansu.metrics.divergence import activation_shift, circuit_divergence

GRAPH = Graph(layers=3, heads=2, kv_heads=1)
CIRCUIT = Circuit((1, 2), "causal")
PAIRS = 12
FACTS = [f"fact {i // 2}" for i in range(PAIRS)]


def scores(mlp: torch.Tensor, metric: float = 2.0) -> EdgeScores:
    mean = torch.zeros(GRAPH.sources, GRAPH.readers)
    return EdgeScores(GRAPH, mean, mlp, mlp, torch.full((PAIRS,), metric), torch.zeros(PAIRS))


@pytest.fixture
def mlp() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(1, GRAPH.sources, GRAPH.layers) + 0.1 * torch.randn(
        PAIRS, GRAPH.sources, GRAPH.layers
    )


def test_an_intact_circuit_has_cad_zero(mlp):
    found = circuit_divergence(scores(mlp), scores(mlp), CIRCUIT, FACTS)
    assert found.cad.value == pytest.approx(0, abs=1e-12)
    assert found.normalised.value == pytest.approx(0, abs=1e-12)
    assert found.metric_ratio == 1


def test_a_dismantled_circuit_has_cad_one(mlp):
    found = circuit_divergence(scores(mlp), scores(torch.zeros_like(mlp), 0.0), CIRCUIT, FACTS)
    assert found.cad.value == found.normalised.value == 1
    assert found.metric_ratio == 0


def test_a_sign_flipped_circuit_has_cad_two(mlp):
    found = circuit_divergence(scores(mlp), scores(-mlp), CIRCUIT, FACTS)
    assert found.cad.value == pytest.approx(2)
    assert found.normalised.value == pytest.approx(2)


@settings(deadline=None, max_examples=25)
@given(st.floats(1e-3, 1e3))
def test_the_normalised_form_ignores_a_mere_change_of_scale(factor):
    torch.manual_seed(1)
    mlp = torch.randn(PAIRS, GRAPH.sources, GRAPH.layers)
    found = circuit_divergence(scores(mlp), scores(factor * mlp), CIRCUIT, FACTS)
    assert found.cad.value == pytest.approx(1 - factor, rel=1e-5, abs=1e-5)
    assert found.normalised.value == pytest.approx(0, abs=1e-6)


def test_only_edges_into_the_circuit_count(mlp):
    other = mlp.clone()
    other[:, :, 0] = -5
    found = circuit_divergence(scores(mlp), scores(other), CIRCUIT, FACTS)
    assert found.cad.value == pytest.approx(0, abs=1e-12)


def test_the_interval_holds_the_value(mlp):
    other = mlp * torch.rand(PAIRS, 1, 1)
    found = circuit_divergence(scores(mlp), scores(other), CIRCUIT, FACTS)
    assert found.cad.low < found.cad.value < found.cad.high


def test_a_circuit_without_any_scored_edge_is_refused(mlp):
    with pytest.raises(InputError, match="undefined"):
        circuit_divergence(scores(torch.zeros_like(mlp)), scores(mlp), CIRCUIT, FACTS)


def test_scores_of_other_pairs_are_refused(mlp):
    with pytest.raises(InputError, match="same pairs"):
        circuit_divergence(scores(mlp), scores(mlp[:-1]), CIRCUIT, FACTS)


def test_activation_shift_tells_the_circuits_mlps_from_all_other_nodes():
    torch.manual_seed(2)
    before = torch.randn(PAIRS, GRAPH.sources, 8)
    before[:, 0] = 0  # the embedding of the last token does not depend on the subject
    after = before.clone()
    for layer in CIRCUIT.layers:
        after[:, GRAPH.mlp_source(layer)] *= 0.25
    found = activation_shift(before, after, GRAPH, CIRCUIT, FACTS)
    assert found.inside.value == pytest.approx(0.75)
    assert found.outside.value == pytest.approx(0)
    assert torch.tensor(found.by_node).isnan().nonzero().flatten().tolist() == [0]


def test_a_node_that_answers_to_some_facts_alone_has_a_shift_and_an_interval():
    torch.manual_seed(3)
    before = torch.randn(PAIRS, GRAPH.sources, 8)
    before[2:, GRAPH.mlp_source(1)] = 0  # only the pairs of the first fact: draws may lack it
    found = activation_shift(before, 0.5 * before, GRAPH, CIRCUIT, FACTS)
    assert found.inside.value == pytest.approx(0.5)
    assert (found.inside.low, found.inside.high) == pytest.approx((0.5, 0.5))


def test_a_circuit_without_any_response_has_nothing_to_change():
    before = torch.ones(PAIRS, GRAPH.sources, 8)
    before[:, [GRAPH.mlp_source(layer) for layer in CIRCUIT.layers]] = 0
    found = activation_shift(before, 2 * before, GRAPH, CIRCUIT, FACTS)
    assert (found.inside.value, found.outside.value) == (0, 1)


def test_facts_whose_edges_all_score_zero_leave_cad_an_interval(mlp):
    mlp[2:, :, list(CIRCUIT.layers)] = 0
    found = circuit_divergence(scores(mlp), scores(0.25 * mlp), CIRCUIT, FACTS)
    assert found.cad.value == pytest.approx(0.75)
    assert found.cad.low >= 0
