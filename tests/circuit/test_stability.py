"""Stability of the top-k under resampling of the pairs."""

from collections.abc import Callable

import pytest
import torch

from mansu.circuit import EdgeScores, stability
from mansu.errors import InputError

Build = Callable[[torch.Tensor], EdgeScores]


def test_identical_pairs_are_perfectly_stable(build_scores: Build):
    torch.manual_seed(0)
    found = stability(build_scores(torch.randn(1, 11, 5).repeat(6, 1, 1)), 2, resamples=70)
    assert found.overlap == pytest.approx(1)
    assert found.jaccard == pytest.approx(1)
    assert sorted(found.frequency.tolist()) == [0, 0, 0, 1, 1]


def test_two_pairs_that_disagree_are_as_stable_as_the_draw(build_scores: Build):
    # Pair 0 speaks for layer 0, pair 1 a little louder for layer 1. Layer 0 wins only if pair 0
    # is drawn twice, once in four resamples; two resamples then agree in 1/16 + 9/16 of cases.
    values = torch.zeros(2, 5, 2)
    values[0, 0, 0], values[1, 0, 1] = 1.0, 1.1
    found = stability(build_scores(values), 1, resamples=4000, seed=1)
    assert found.frequency.tolist() == pytest.approx([0.25, 0.75], abs=0.03)
    assert found.overlap == pytest.approx(10 / 16, abs=0.03)
    assert found.jaccard == pytest.approx(0.75, abs=0.03)


def test_the_overlap_is_the_mean_over_all_pairs_of_resamples(build_scores: Build):
    from mansu.circuit.stability import _top_k_of_resamples

    torch.manual_seed(0)
    scores = build_scores(torch.randn(4, 13, 6))
    found = stability(scores, 3, resamples=9, seed=5)
    members = _top_k_of_resamples(scores, 3, 9, 5)
    assert (members.sum(1) == 3).all()
    shared = [
        (members[i] * members[j]).sum().item() / 3 for i in range(9) for j in range(9) if i != j
    ]
    assert found.overlap == pytest.approx(sum(shared) / len(shared))


def test_the_same_seed_gives_the_same_answer(build_scores: Build):
    torch.manual_seed(0)
    scores = build_scores(torch.randn(5, 13, 6))
    one, two = (stability(scores, 2, resamples=100, seed=3) for _ in range(2))
    assert torch.equal(one.frequency, two.frequency)
    assert (one.overlap, one.jaccard) == (two.overlap, two.jaccard)


def test_a_circuit_of_all_layers_is_always_stable(build_scores: Build):
    found = stability(build_scores(torch.randn(3, 9, 4)), 4, resamples=10)
    assert (found.overlap, found.jaccard) == (1, 1)


def test_bad_settings_are_refused(build_scores: Build):
    scores = build_scores(torch.randn(3, 9, 4))
    with pytest.raises(InputError, match="too few"):
        stability(scores, 1, resamples=1)
    with pytest.raises(InputError, match="between 1 and 4"):
        stability(scores, 5)
