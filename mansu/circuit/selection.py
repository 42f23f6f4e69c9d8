"""From edge scores to a circuit: the k MLP sublayers that matter most, and its controls."""

import random
from dataclasses import dataclass
from typing import Literal, get_args

import torch

from mansu.circuit.attribution import EdgeScores
from mansu.errors import InputError

Kind = Literal["causal", "random", "inverse"]


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
    """Total incoming attribution of every MLP, Σ_u |score(u → mlp)| [P], ``[layers]``.

    The score inside the bars is the mean over the pairs.
    """
    return scores.scores[:, scores.graph.mlp_readers].abs().sum(0)


def rank_mlps(scores: EdgeScores) -> tuple[int, ...]:
    """Layers by the attribution mass of their MLP, largest first [P]; ties: lower layer first."""
    return rank(attribution_mass(scores))


def rank(mass: torch.Tensor) -> tuple[int, ...]:
    """Indices of ``mass`` ``[layers]``, largest first; ties: lower index first."""
    return tuple(mass.argsort(descending=True, stable=True).tolist())


def select(scores: EdgeScores, top_k: int, kind: Kind = "causal", seed: int = 42) -> Circuit:
    """Chooses a circuit of ``top_k`` MLP sublayers.

    Args:
        scores: Edge scores.
        top_k: Its size.
        kind: ``causal`` takes the top of the ranking, ``inverse`` its bottom, ``random`` draws
            from all layers [P].
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
        raise InputError(f"Unknown circuit '{kind}'; choose causal, random or inverse.")
    if kind == "random":
        chosen = random.Random(seed).sample(range(layers), top_k)
    else:
        ranking = rank_mlps(scores)
        chosen = ranking[:top_k] if kind == "causal" else ranking[-top_k:]
    return Circuit(tuple(sorted(chosen)), kind)
