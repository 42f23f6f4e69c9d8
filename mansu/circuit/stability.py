"""Would other examples have given the same circuit? Bootstrap over the pairs [O]."""

from dataclasses import dataclass

import torch

from mansu.circuit.attribution import EdgeScores
from mansu.circuit.selection import select
from mansu.errors import InputError

_BLOCK = 64  # resamples ranked at once, so that memory does not grow with their number


@dataclass(frozen=True)
class Stability:
    """How the top-k moves when the pairs are drawn again with replacement.

    Attributes:
        frequency: Share of the resamples whose top-k holds each layer, ``[layers]``.
        overlap: Mean over pairs of resamples of the share of layers their top-k have in common.
        jaccard: Mean Jaccard index between a resample's top-k and that of all pairs.
    """

    frequency: torch.Tensor
    overlap: float
    jaccard: float


def stability(scores: EdgeScores, top_k: int, resamples: int = 1000, seed: int = 0) -> Stability:
    """Resamples the pairs and ranks the MLPs each time.

    Raises:
        InputError: Fewer than two resamples, or ``top_k`` outside the model's layers.
    """
    if resamples < 2:
        raise InputError(f"Stability compares resamples; {resamples} are too few, ask for 2.")
    reference = torch.zeros(scores.graph.layers)
    reference[list(select(scores, top_k).layers)] = 1
    members = _top_k_of_resamples(scores, top_k, resamples, seed)  # [resamples, layers], 0 or 1
    counts = members.sum(0)
    # Two resamples share layer l in c(c − 1) of the ordered pairs.
    shared = (counts * (counts - 1)).sum() / (resamples * (resamples - 1))
    common = members @ reference
    return Stability(
        frequency=counts / resamples,
        overlap=(shared / top_k).item(),
        jaccard=(common / (2 * top_k - common)).mean().item(),
    )


def _top_k_of_resamples(scores: EdgeScores, top_k: int, resamples: int, seed: int) -> torch.Tensor:
    """1 where a layer is among a resample's top-k, ``[resamples, layers]``."""
    generator = torch.Generator().manual_seed(seed)
    pairs, layers = scores.said_scores.shape[0], scores.graph.layers
    per_pair = scores.said_scores.flatten(1)  # [pairs, sources · layers]
    members = torch.zeros(resamples, layers)
    for start in range(0, resamples, _BLOCK):
        size = min(_BLOCK, resamples - start)
        draws = torch.randint(pairs, (size, pairs), generator=generator)
        weights = torch.zeros(size, pairs, dtype=per_pair.dtype)
        weights.scatter_add_(1, draws, torch.ones_like(weights))
        mean = (weights @ per_pair / pairs).unflatten(1, (-1, layers))
        top = mean.abs().sum(1).argsort(dim=1, descending=True, stable=True)[:, :top_k]
        members[start : start + size].scatter_(1, top, 1)
    return members
