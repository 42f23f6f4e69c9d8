"""How much a loss on plain text changed, and how sure that is."""

import numpy as np

from mansu.metrics.perplexity import TextLosses
from mansu.metrics.significance import Estimate, cluster_bootstrap


def loss_change(now: TextLosses, before: TextLosses) -> Estimate:
    """How much the loss a token rose, in nats, windows resampled in pairs. [O]

    Args:
        now: Of the model that is judged.
        before: Of its reference, over the same windows.
    """

    def change(drawn: np.ndarray) -> np.ndarray:  # [draws, windows] -> [draws]
        return (drawn @ (now.nats - before.nats)) / (drawn @ now.tokens)

    return cluster_bootstrap(change, range(len(now.tokens)))
