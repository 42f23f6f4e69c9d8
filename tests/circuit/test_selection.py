"""Ranking of MLPs and the kinds of circuit."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from mansu.circuit import EdgeScores, attribution_mass, rank_mlps, select
from mansu.errors import InputError


@pytest.fixture
def scores(build_scores: Callable[[torch.Tensor], EdgeScores]) -> EdgeScores:
    """Four layers; mass 1, 5, 2, 5 although the signed sums are 1, 1, -2, 5."""
    values = torch.zeros(2, 9, 4)
    values[:, 0] = torch.tensor([1.0, 3.0, -2.0, 5.0])
    values[:, 1, 1] = -2.0
    values[0, 2, 0], values[1, 2, 0] = 8.0, -8.0  # cancels in the mean, so it carries no mass
    return build_scores(values)


def test_the_mass_of_an_mlp_is_the_sum_of_absolute_mean_scores(scores: EdgeScores):
    assert attribution_mass(scores).tolist() == [1, 5, 2, 5]


def test_layers_are_ranked_by_mass_and_ties_go_to_the_lower_layer(scores: EdgeScores):
    assert rank_mlps(scores) == (1, 3, 2, 0)


def test_the_ranking_looks_at_the_last_position_alone(scores: EdgeScores):
    said = torch.zeros_like(scores.said_scores)
    said[:, 0] = torch.tensor([3.0, 0.0, -4.0, 0.0])
    there = replace(scores, said_scores=said)
    assert rank_mlps(there) == (2, 0, 1, 3)
    assert select(there, 2).layers == (0, 2)
    assert select(there, 2, "published").layers == (1, 3)


def test_the_published_circuit_is_the_top_over_all_positions(scores: EdgeScores):
    spread = torch.zeros_like(scores.scores)
    spread[0, scores.graph.mlp_readers] = torch.tensor([4.0, -3.0, 2.0, 1.0])
    elsewhere = replace(scores, scores=spread)
    assert select(elsewhere, 2, "published").layers == (0, 1)
    assert select(elsewhere, 2).layers == (1, 3)


def test_the_causal_circuit_is_the_top_and_the_inverse_circuit_the_bottom(scores: EdgeScores):
    assert select(scores, 3).layers == (1, 2, 3)
    assert select(scores, 2, "inverse").layers == (0, 2)
    assert select(scores, 4).layers == select(scores, 4, "inverse").layers == (0, 1, 2, 3)


def test_the_random_circuit_is_the_same_for_the_same_seed(
    build_scores: Callable[[torch.Tensor], EdgeScores],
):
    wide = build_scores(torch.randn(1, 41, 20))
    first = select(wide, 6, "random")
    assert first == select(wide, 6, "random", seed=42)
    assert first.kind == "random"
    assert len(set(first.layers)) == 6
    assert list(first.layers) == sorted(first.layers)
    assert len({select(wide, 6, "random", seed=seed).layers for seed in range(20)}) > 15


def test_the_random_circuit_does_not_look_at_the_scores(
    build_scores: Callable[[torch.Tensor], EdgeScores],
):
    one, other = (build_scores(torch.randn(1, 41, 20)) for _ in range(2))
    assert select(one, 5, "random") == select(other, 5, "random")


@pytest.mark.parametrize("top_k", [0, -1, 5])
def test_a_circuit_larger_than_the_model_is_refused(scores: EdgeScores, top_k: int):
    with pytest.raises(InputError, match="between 1 and 4"):
        select(scores, top_k)


def test_an_unknown_kind_is_refused(scores: EdgeScores):
    with pytest.raises(InputError, match="Unknown circuit"):
        select(scores, 1, "best")  # pyright: ignore
