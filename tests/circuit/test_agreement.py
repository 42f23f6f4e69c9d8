"""Attribution held against patching, finer grids and other pairs."""

import pytest
import torch

from mansu.circuit import Graph, attribute, patch_edges
from mansu.circuit.agreement import REFERENCE_STEPS, compare_methods, sample_edges, top_overlap
from mansu.errors import InputError
from mansu.study.stages import draw


@pytest.fixture(scope="module")
def compared(tiny, finished_run):
    return compare_methods(tiny, draw(finished_run).pairs[:6], top_k=2, steps=(2, 5), edges=20)


def test_the_finest_grid_agrees_with_itself(compared):
    finest = compared.rows[-1]
    assert finest.steps == REFERENCE_STEPS
    assert finest.reference == pytest.approx(1)
    assert finest.overlap == 1


def test_a_finer_grid_comes_closer_to_the_finest_one(compared):
    eap, two, five, _ = (row.reference for row in compared.rows)
    assert eap < two < five


def test_integrated_gradients_rank_a_trained_models_edges_as_patching_does(compared):
    assert compared.rows[-1].patching > 0.8


def test_what_is_patched_is_what_patching_measures(compared, tiny, finished_run):
    pairs = draw(finished_run).pairs[:6]
    edge = tuple(compared.edges[0].tolist())
    clean = attribute(tiny, pairs, "eap").metric.mean()
    alone = patch_edges(tiny, pairs, [edge])[:, 0].mean() - clean
    torch.testing.assert_close(compared.patched[0], alone, atol=1e-4, rtol=1e-4)


def test_the_sample_holds_the_strongest_edge_and_spans_the_ranks(build_scores):
    scores = build_scores(torch.rand(3, Graph(4, 1, 1).sources, 4))
    scores.scores.mul_(scores.graph.mask)
    sample = sample_edges(scores, 8)
    strengths = scores.scores[sample[:, 0], sample[:, 1]].abs()
    causal = scores.scores[scores.graph.mask].abs()
    assert strengths[0] == causal.max()
    assert strengths[-1] == causal.min()
    assert (strengths.diff() <= 0).all()
    assert len({tuple(edge) for edge in sample.tolist()}) == len(sample)


def test_a_sample_never_holds_an_edge_that_does_not_exist(build_scores):
    scores = build_scores(torch.rand(2, Graph(3, 1, 1).sources, 3))
    for source, reader in sample_edges(scores, 1000).tolist():
        assert scores.graph.mask[source, reader]


def test_a_sample_of_one_edge_is_refused(build_scores):
    with pytest.raises(InputError, match="at least 2"):
        sample_edges(build_scores(torch.rand(2, Graph(3, 1, 1).sources, 3)), 1)


def test_rankings_overlap_by_their_tops_only():
    assert top_overlap((1, 2, 3, 4), (2, 1, 4, 3), 2) == 1
    assert top_overlap((1, 2, 3, 4), (1, 3, 2, 4), 2) == 0.5
    assert top_overlap((1, 2, 3, 4), (4, 3, 2, 1), 2) == 0
