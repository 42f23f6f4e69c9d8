"""Where the right option stands among those that are offered."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def item_accuracy(values: ArrayLike, answers: ArrayLike) -> Floats:
    """Whether the highest option is the right one, ``[items]``; of ties, each counts its share.

    Args:
        values: What each option is ranked by, ``[items, options]``.
        answers: The right option's index, ``[items]``.
    """
    rows = np.asarray(values, dtype=np.float64)
    best = rows == rows.max(1, keepdims=True)
    return best[np.arange(len(rows)), np.asarray(answers, dtype=int)] / best.sum(1)


def item_auc(values: ArrayLike, answers: ArrayLike) -> Floats:
    """Share of an item's wrong options that rank below the answer, ties half, ``[items]``.

    Args:
        values: What each option is ranked by, ``[items, options]``.
        answers: The right option's index, ``[items]``.
    """
    rows = np.asarray(values, dtype=np.float64)
    right = rows[np.arange(len(rows)), np.asarray(answers, dtype=int)][:, None]
    # The answer ties with itself, which is taken off again.
    below = (rows < right).sum(1) + (rows == right).sum(1) / 2 - 0.5
    return below / (rows.shape[1] - 1)
