"""CAD without θ₀: whether a circuit for some facts works as for known or for made-up ones. [O]

Only the model itself is at hand. It is attributed on prompts about facts that it knows (scores k),
about facts that nobody knows (u), and about those in question (f). E_C are the edges into the MLPs
that k ranks first, and S(x) = Σ sign(k)·x / Σ|k| over E_C is how much of the known facts' circuit
is at work in x, so that S(k) = 1.

* separation = 1 - S(u): how far made-up facts are from known ones; without it nothing can be told.
* position = (1 - S(f)) / (1 - S(u)): 0, the facts are looked up as known ones are; 1, as made-up
  ones. Below 0: with more attribution than the known ones.

A dismantled circuit looks like the second. A silenced one, whose logits are moved at the end,
looks like the first. Intervals are bootstraps over the pairs, clustered by fact.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mansu.circuit import Circuit, EdgeScores
from mansu.errors import InputError
from mansu.metrics.divergence import incoming
from mansu.metrics.significance import SEED, Estimate, cluster_bootstrap

LEAST = 0.1  # separation whose interval must lie above this


@dataclass(frozen=True)
class Position:
    """Where the facts in question lie.

    Attributes:
        separation: How far made-up facts are from known ones.
        value: The position; None where the separation is none.
    """

    separation: Estimate
    value: Estimate | None


@dataclass(frozen=True)
class Group:
    """Attributed prompts about one kind of facts.

    Attributes:
        scores: Their edge scores.
        facts: Each pair's fact, to resample by.
    """

    scores: EdgeScores
    facts: Sequence[str]


def circuit_position(
    known: Group, asked: Group, made_up: Group, circuit: Circuit, seed: int = SEED
) -> Position:
    """Where the facts in question lie between known and made-up ones.

    Args:
        known: Facts that the model knows.
        asked: The facts in question.
        made_up: Facts that nobody knows.
        circuit: The circuit of the known facts.
        seed: Of the bootstrap.

    Raises:
        InputError: No edge into the circuit has a score on the known facts.
    """
    groups = (known, asked, made_up)
    edges = [incoming(group.scores, circuit) for group in groups]  # [pairs, edges] each
    if not edges[0].mean(0).any():
        raise InputError("Every edge into the circuit scores zero; the position is undefined.")
    ends = np.cumsum([len(part) for part in edges])[:-1]
    clusters = [(n, fact) for n, group in enumerate(groups) for fact in group.facts]

    def falls(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """1 - S(f) and 1 - S(u), ``[draws]`` each."""
        means = [
            drawn @ part / np.maximum(drawn.sum(1, keepdims=True), 1)
            for drawn, part in zip(np.split(weights, ends, axis=1), edges, strict=True)
        ]
        sign, size = np.sign(means[0]), np.abs(means[0]).sum(1)
        # Where no known fact was drawn, none is lost.
        at_work = [
            np.divide((sign * mean).sum(1), size, out=np.ones_like(size), where=size > 0)
            for mean in means[1:]
        ]
        return 1 - at_work[0], 1 - at_work[1]

    separation = cluster_bootstrap(lambda weights: falls(weights)[1], clusters, seed)
    if separation.low <= LEAST:
        return Position(separation, None)

    def position(weights: np.ndarray) -> np.ndarray:
        asked, made_up = falls(weights)
        return asked / np.maximum(made_up, LEAST)

    return Position(separation, cluster_bootstrap(position, clusters, seed))
