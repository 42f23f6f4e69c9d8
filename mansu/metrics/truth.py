"""TOFU's figures: probability, truth ratio, forget quality, model utility, from losses per token.

Source: Maini et al. 2024 (arXiv 2401.06121), section 3 and the authors' code. An answer's
probability is its tokens' geometric mean, p(a|q)^(1/|a|) = exp(-loss). The authors' code takes the
wrong answers together in two ways: for model utility by the mean of their probabilities, for forget
quality by the mean of their losses; the variants have names here.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy.stats import hmean, ks_2samp

# mean: of the wrong answers' probabilities. geometric: of their losses.
Together = Literal["mean", "geometric"]
# closer_to_1: a forgotten fact's, true and false alike likely. true_better: a kept fact's.
Better = Literal["closer_to_1", "true_better"]


def normalized_probability(right: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """The right answer's share of the probability of all that are offered, ``[items]``.

    Args:
        right: Loss per token of the right answer, in nats, ``[items]``.
        wrong: The same of the wrong answers, ``[items, answers]``.
    """
    return 1 / (1 + np.exp(right[:, None] - wrong).sum(-1))


def truth_ratio(right: np.ndarray, wrong: np.ndarray, together: Together = "mean") -> np.ndarray:
    """How likely wrong answers are beside the right one in other words, ``[items]``.

    Args:
        right: Loss per token of the paraphrased right answer, in nats, ``[items]``.
        wrong: The same of the wrong answers, ``[items, answers]``.
        together: How the wrong ones are taken together.
    """
    if together == "mean":
        return np.exp(right[:, None] - wrong).mean(-1)
    return np.exp(right - wrong.mean(-1))


def rate_truth(ratios: np.ndarray, better: Better) -> np.ndarray:
    """Truth ratios as figures between 0 and 1, 1 being the better, ``[items]``.

    Args:
        ratios: Truth ratios.
        better: Which is better.
    """
    if better == "true_better":
        return np.maximum(0, 1 - ratios)
    with np.errstate(divide="ignore"):  # 0 is as far from 1 as can be
        return np.minimum(ratios, 1 / ratios)


def forget_quality(unlearned: np.ndarray, retrained: np.ndarray) -> float:
    """How like two models' truth ratios on the forget set are, as the p-value of a two-sample
    Kolmogorov-Smirnov test: small where they can be told apart.

    Args:
        unlearned: Truth ratios (``geometric``) of the unlearned model.
        retrained: Those of a model that was trained without the forget set.
    """
    return float(ks_2samp(unlearned, retrained).pvalue)  # pyright: ignore


def model_utility(figures: Sequence[float]) -> float:
    """The harmonic mean of probability, ROUGE-L recall and truth ratio on three kept sets.

    Args:
        figures: The nine means; one of 0 makes all of it 0.
    """
    return float(hmean(figures)) if all(figures) else 0.0
