"""TOFU's figures: probability, truth ratio, forget quality, model utility, from losses per token.

Source: Maini et al. 2024 (arXiv 2401.06121), section 3; open-unlearning (arXiv 2506.12618), whose
names the ratings have. An answer's probability is its tokens' geometric mean, p(a|q)^(1/|a|) =
exp(-loss). Wrong answers are taken together by the mean of their losses, as in both codes; the
paper's formula, and one script of its authors, take the mean of their probabilities.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy.stats import hmean, ks_2samp

# closer_to_1_better: of a forgotten fact, true and false are alike likely. true_better: of a kept
# one the truth is likelier. prob_mean: the truth's share of both, how much is known.
Rating = Literal["closer_to_1_better", "true_better", "prob_mean"]


def normalized_probability(right: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """The right answer's share of the probability of all that are offered, ``[items]``.

    Args:
        right: Loss per token of the right answer, in nats, ``[items]``.
        wrong: The same of the wrong answers, ``[items, answers]``.
    """
    return 1 / (1 + np.exp(right[:, None] - wrong).sum(-1))


def truth_ratio(right: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """How likely wrong answers are beside the right one in other words, ``[items]``.

    Args:
        right: Loss per token of the paraphrased right answer, in nats, ``[items]``.
        wrong: The same of the wrong answers, ``[items, answers]``.
    """
    return np.exp(right - wrong.mean(-1))


def rate_truth(ratios: np.ndarray, rating: Rating) -> np.ndarray:
    """Truth ratios as figures between 0 and 1, ``[items]``.

    Args:
        ratios: Truth ratios.
        rating: What they are to say.
    """
    if rating == "true_better":
        return np.maximum(0, 1 - ratios)
    if rating == "prob_mean":
        return 1 / (1 + ratios)
    with np.errstate(divide="ignore"):  # 0 is as far from 1 as can be
        return np.minimum(ratios, 1 / ratios)


def forget_quality(unlearned: np.ndarray, retrained: np.ndarray) -> float:
    """How like two models' truth ratios on the forget set are, as the p-value of a two-sample
    Kolmogorov-Smirnov test: small where they can be told apart.

    Args:
        unlearned: Truth ratios of the unlearned model.
        retrained: Those of a model that was trained without the forget set.
    """
    return float(ks_2samp(unlearned, retrained).pvalue)  # pyright: ignore


def model_utility(figures: Sequence[float]) -> float:
    """The harmonic mean of probability, ROUGE-L recall and truth ratio on three kept sets.

    Args:
        figures: The nine means; one of 0 makes all of it 0.
    """
    return float(hmean(figures)) if all(figures) else 0.0
