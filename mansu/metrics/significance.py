"""How sure a measured accuracy, gap or divergence is. [O]

Items about one fact, asked through several templates, are not independent: a model that knows the
fact tends to answer all of them. Intervals therefore come from a bootstrap that resamples facts
and takes all items of a drawn fact together. Two models are compared on the same items with the
same draws, so what is common to both cancels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest
from scipy.stats import t as student_t

from mansu.errors import InputError

LEVEL = 0.95
RESAMPLES = 2000
FEW = 20  # clusters; below, a bootstrap's intervals are too narrow
SEED = 0  # of every bootstrap: models asked alike share the draws
# Bounds the memory of a statistic that keeps many numbers a draw, such as a score for each edge.
DRAWS_AT_ONCE = 250

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval.

    Attributes:
        value: The statistic on all items.
        n: Number of items.
        low: Lower end of the interval.
        high: Upper end of the interval.
    """

    value: float
    n: int
    low: float
    high: float


@dataclass(frozen=True)
class Gap:
    """Accuracy of model a minus accuracy of model b on the same items.

    Attributes:
        value: The gap on all items.
        low: Lower end of its 95 % interval.
        high: Upper end of its 95 % interval.
        p_mcnemar: Exact two-sided McNemar p-value over the items on which the two disagree.
    """

    value: float
    low: float
    high: float
    p_mcnemar: float


def accuracy_interval(
    correct: ArrayLike, facts: Sequence[str], seed: int = SEED, resamples: int = RESAMPLES
) -> Estimate:
    """Accuracy with an interval clustered by fact.

    Args:
        correct: Whether each item was answered correctly, ``[items]``.
        facts: The fact each item asks about, ``[items]``.
        seed: Seed of the bootstrap.
        resamples: Number of bootstrap draws.

    Raises:
        InputError: Nothing to average, lengths differ, or a value is not finite.
    """
    return _mean_interval(_finite(correct, len(facts)), facts, seed, resamples)


def paired_gap(
    correct_a: ArrayLike,
    correct_b: ArrayLike,
    facts: Sequence[str],
    seed: int = SEED,
    resamples: int = RESAMPLES,
) -> Gap:
    """Accuracy gap a − b of two models on the same items.

    Args:
        correct_a: Whether model a answered each item correctly, ``[items]``.
        correct_b: The same for model b, in the same order, ``[items]``.
        facts: The fact each item asks about, ``[items]``.
        seed: Seed of the bootstrap.
        resamples: Number of bootstrap draws.

    Raises:
        InputError: Nothing to compare, lengths differ, or a value is not finite.
    """
    a, b = _finite(correct_a, len(facts)), _finite(correct_b, len(facts))
    estimate = _mean_interval(a - b, facts, seed, resamples)
    only_a, only_b = int((a > b).sum()), int((b > a).sum())
    disagreements = only_a + only_b
    p = float(binomtest(only_a, disagreements).pvalue) if disagreements else 1.0
    return Gap(estimate.value, estimate.low, estimate.high, p)


def median_interval(
    values: ArrayLike, facts: Sequence[str], seed: int = SEED, resamples: int = RESAMPLES
) -> Estimate:
    """Median over items and their entries, with an interval clustered by fact.

    Args:
        values: Some numbers of each item, ``[items, entries]``.
        facts: The fact each item asks about, ``[items]``.
        seed: Seed of the bootstrap.
        resamples: Number of bootstrap draws.

    Raises:
        InputError: Nothing to take the median of.
    """
    rows = np.asarray(values, dtype=np.float64)
    order = np.argsort(rows, axis=None)
    ranked, item = rows.ravel()[order], order // rows.shape[1]

    def median(weights: Floats) -> Floats:  # [draws, items] -> [draws]
        below = weights[:, item].cumsum(1)
        return ranked[(below >= below[:, -1:] / 2).argmax(1)]

    return cluster_bootstrap(median, facts, seed, resamples)


def cluster_bootstrap(
    statistic: Callable[[Floats], Floats],
    clusters: Sequence[object],
    seed: int = SEED,
    resamples: int = RESAMPLES,
) -> Estimate:
    """Percentile interval of a statistic of weighted items, resampling whole clusters.

    Drawing clusters with replacement weighs each item by how often its cluster was drawn, so a
    weighted mean, or a ratio of weighted sums, needs no loop over draws.

    Args:
        statistic: Maps item weights ``[draws, items]`` to values ``[draws]``; weights of 1 stand
            for the items as they are.
        clusters: The cluster of each item, ``[items]``.
        seed: Seed of the draws.
        resamples: Number of draws.

    Raises:
        InputError: No item, no draw, or a draw on which the statistic is not finite.
    """
    index, counts = _draw(clusters, seed, resamples)
    pieces = np.array_split(counts, -(-resamples // DRAWS_AT_ONCE))  # [draws, clusters] each
    drawn = np.concatenate([statistic(piece[:, index]) for piece in pieces])
    return _interval(statistic(np.ones((1, len(clusters))))[0], drawn, len(clusters))


def drawn_means(
    values: ArrayLike, clusters: Sequence[object], seed: int = SEED, resamples: int = RESAMPLES
) -> Floats:
    """The mean on every bootstrap draw, ``[draws]``: for a statistic of several means.

    Means over the same clusters share their draws.

    Args:
        values: A number an item, ``[items]``.
        clusters: The cluster of each item, ``[items]``.
        seed: Seed of the draws.
        resamples: Number of draws.

    Raises:
        InputError: Nothing to average, lengths differ, or a value is not finite.
    """
    found = _finite(values, len(clusters))
    index, counts = _draw(clusters, seed, resamples)
    # Sums over the clusters are all that a mean needs, whatever their items.
    sums, sizes = np.bincount(index, found), np.bincount(index).astype(float)  # [clusters]
    return (counts @ sums) / (counts @ sizes)


def _mean_interval(
    values: Floats, clusters: Sequence[object], seed: int, resamples: int
) -> Estimate:
    means = _few_means(values, clusters) if len(values) else None
    if means is not None:  # too few to draw from: Student's t on the clusters' means
        half = float(student_t.ppf((1 + LEVEL) / 2, len(means) - 1)) * means.std(ddof=1)
        half /= len(means) ** 0.5
        middle = float(values.mean())
        return Estimate(middle, len(values), float(middle - half), float(middle + half))
    return _interval(values.mean(), drawn_means(values, clusters, seed, resamples), len(values))


def _few_means(values: Floats, clusters: Sequence[object]) -> Floats | None:
    """The mean of each cluster, ``[clusters]``, where there are some, and few."""
    index = _numbered(clusters)
    sizes = np.bincount(index)
    return np.bincount(index, values) / sizes if 1 < len(sizes) < FEW else None


def _draw(
    clusters: Sequence[object], seed: int, resamples: int
) -> tuple[NDArray[np.int64], Floats]:
    """The cluster's number of every item, ``[items]``, and draws of each, ``[draws, clusters]``."""
    if not len(clusters):
        raise InputError("An interval needs at least one item.")
    if resamples < 1:
        raise InputError(f"{resamples} resamples give no interval; ask for at least 1.")
    index = _numbered(clusters)
    return index, _counts(int(index.max()) + 1, seed, resamples)


def _numbered(clusters: Sequence[object]) -> NDArray[np.int64]:
    """Each item's cluster as a number, by appearance: the labels themselves change no draw."""
    numbers: dict[object, int] = {}
    return np.array([numbers.setdefault(label, len(numbers)) for label in clusters], dtype=int)


@lru_cache(maxsize=4)  # a chart's models are asked the same items; drawing takes the longest
def _counts(clusters: int, seed: int, resamples: int) -> Floats:
    even = np.full(clusters, 1 / clusters)
    counts = np.random.default_rng(seed).multinomial(clusters, even, size=resamples)
    counts = counts.astype(float)
    counts.flags.writeable = False  # every later interval reads it
    return counts


def _interval(value: float, drawn: Floats, items: int) -> Estimate:
    if not np.isfinite(drawn).all() or not np.isfinite(value):
        raise InputError("The statistic is not finite on some draw, so it has no interval.")
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(value), items, float(low), float(high))


def _finite(values: ArrayLike, items: int) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (items,):
        raise InputError(f"{items} fact labels need as many values; got shape {array.shape}.")
    if not np.isfinite(array).all():
        raise InputError(f"{(~np.isfinite(array)).sum()} of {items} values are not finite.")
    return array
