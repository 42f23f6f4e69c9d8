"""TOFU's figures against values worked out by hand."""

import numpy as np
import pytest

from mansu.metrics.truth import model_utility, normalized_probability, rate_truth, truth_ratio

LOG = np.log
# Two questions: probabilities per token of the right and of two wrong answers.
RIGHT = -LOG([0.5, 0.2])
WRONG = -LOG([[0.25, 0.05], [0.4, 0.4]])


def test_wrong_answers_are_taken_together_by_the_mean_of_their_losses() -> None:
    assert truth_ratio(RIGHT, WRONG) == pytest.approx([np.sqrt(0.25 * 0.05) / 0.5, 0.4 / 0.2])


def test_a_forgotten_truth_is_as_likely_as_a_lie_and_a_kept_one_likelier() -> None:
    ratios = np.array([0.3, 2.0, 1.0, 0.0, np.inf])
    assert rate_truth(ratios, "closer_to_1_better") == pytest.approx([0.3, 0.5, 1.0, 0.0, 0.0])
    assert rate_truth(ratios, "true_better") == pytest.approx([0.7, 0.0, 0.0, 1.0, 0.0])
    known = [1 / 1.3, 1 / 3, 0.5, 1.0, 0.0]  # the truth's share
    assert rate_truth(ratios, "prob_mean") == pytest.approx(known)


def test_the_right_answer_s_share_is_among_all_that_are_offered() -> None:
    shares = normalized_probability(RIGHT, WRONG)
    assert shares == pytest.approx([0.5 / 0.8, 0.2 / 1.0])


def test_answers_that_are_next_to_impossible_have_figures_all_the_same() -> None:
    right, wrong = np.array([900.0]), np.array([[901.0, 901.0]])
    assert truth_ratio(right, wrong) == pytest.approx([np.exp(-1)])
    assert normalized_probability(right, wrong) == pytest.approx([1 / (1 + 2 * np.exp(-1))])


def test_utility_is_the_harmonic_mean_and_one_figure_of_nothing_leaves_nothing() -> None:
    assert model_utility([0.5, 0.25, 1.0]) == pytest.approx(3 / (2 + 4 + 1))
    assert model_utility([0.5, 0.0, 1.0]) == 0.0
