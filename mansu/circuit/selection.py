"""From edge scores to a circuit: the k MLP sublayers that matter most, and its controls.

The published ranking takes an MLP's attribution at every position together [P]. It ranks low layers
high, which read the subject and hardly hold a weight to move. Ours takes it at the last position
alone, where the answer is said [O]: on SmolLM2 this gives MLPs 22 to 29 for each of five fact sets,
and edits there forget unseen wording best (docs/forgetting.md).
"""

import random
from dataclasses import dataclass
from typing import Literal, get_args

import torch

from mansu.circuit.attribution import EdgeScores
from mansu.errors import InputError

Kind = Literal["causal", "published", "random", "inverse"]


@dataclass(frozen=True)
class Circuit:
    """A set of MLP sublayers; the circuit is all of their weights.

    Attributes:
        layers: Their layers, ascending.
        kind: How they were chosen.
    """

    layers: tuple[int, ...]
    kind: Kind


def attribution_mass(scores: EdgeScores) -> torch.Tensor:
    """Incoming attribution of every MLP where the answer is said, Σ_u |score(u → mlp)|.

    The score inside the bars is the mean over the pairs, at the last position [O].

    Returns:
        ``[layers]``, in logits.
    """
    return scores.said_scores.mean(0).abs().sum(0)


def published_mass(scores: EdgeScores) -> torch.Tensor:
    """The same over all positions [P], ``[layers]``."""
    return scores.scores[:, scores.graph.mlp_readers].abs().sum(0)


def rank_mlps(scores: EdgeScores) -> tuple[int, ...]:
    """Layers by the attribution mass of their MLP, largest first; ties: lower layer first."""
    return rank(attribution_mass(scores))


def rank(mass: torch.Tensor) -> tuple[int, ...]:
    """Indices of ``mass`` ``[layers]``, largest first; ties: lower index first."""
    return tuple(mass.argsort(descending=True, stable=True).tolist())


def select(scores: EdgeScores, top_k: int, kind: Kind = "causal", seed: int = 42) -> Circuit:
    """Chooses a circuit of ``top_k`` MLP sublayers.

    Args:
        scores: Edge scores.
        top_k: Its size.
        kind: ``causal`` takes the top of the ranking, ``published`` that of the published one,
            ``inverse`` the bottom, ``random`` draws from all layers [P].
        seed: Of the random draw; the paper's is 42 [P].

    Raises:
        InputError: ``top_k`` is not between 1 and the number of layers, or an unknown kind.
    """
    layers = scores.graph.layers
    if not 1 <= top_k <= layers:
        raise InputError(
            f"A circuit of {top_k} MLP layers cannot be chosen: the model has {layers}; "
            f"set top_k between 1 and {layers}."
        )
    if kind not in get_args(Kind):
        raise InputError(f"Unknown circuit '{kind}'; choose {', '.join(get_args(Kind))}.")
    if kind == "random":
        chosen = random.Random(seed).sample(range(layers), top_k)
    else:
        ranking = rank(published_mass(scores)) if kind == "published" else rank_mlps(scores)
        chosen = ranking[-top_k:] if kind == "inverse" else ranking[:top_k]
    return Circuit(tuple(sorted(chosen)), kind)
