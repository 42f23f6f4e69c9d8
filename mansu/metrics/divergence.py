"""Proof by attribution: CAD and its companions.

E_C are the edges into the circuit's MLPs with a non-zero original score; s is an edge's original
score, s' its score on another state of the model, on the same pairs with the same metric M.

* CAD = 1 - Σ sign(s)·s' / Σ|s| over E_C [R]: 0 intact, 1 dismantled, above 1 sign-flipped.
* normalised CAD = 1 - Σ sign(s)·s' / Σ|s'| [O]: CAD scales with M, so that a model whose logits
  shrank tenfold without changing one answer shows CAD 0.9. The normalised form does not.
* metric ratio = M'/M [O]; mass ratio = Σ|s'| / Σ|s| over E_C [O].
* AS-C / AS-NC [R]: relative change ‖δ'-δ‖/‖δ‖ of the clean-corrupted activation difference at the
  last position, averaged over the nodes inside / outside the circuit that have one; 0 if none has.

Intervals are bootstraps over the pairs, clustered by fact [O].
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from mansu.circuit import Circuit, EdgeScores, Graph
from mansu.errors import InputError
from mansu.metrics.significance import SEED, Estimate, cluster_bootstrap


@dataclass(frozen=True)
class Divergence:
    """How far a model's circuit is from the original one.

    Attributes:
        cad: Circuit attribution divergence.
        normalised: CAD's scale-free form.
        metric_ratio: Mean M' over mean M.
        mass_ratio: Σ|s'| over Σ|s|: how much attribution is left, whichever way it points.
    """

    cad: Estimate
    normalised: Estimate
    metric_ratio: float
    mass_ratio: float


def circuit_divergence(
    original: EdgeScores,
    other: EdgeScores,
    circuit: Circuit,
    facts: Sequence[str],
    seed: int = SEED,
) -> Divergence:
    """CAD of another state of the model against the original, on the same pairs.

    Args:
        original: Scores of the reference (θ₀, or Q(θ₀) for a deployed model).
        other: Scores of the state to judge.
        circuit: The circuit whose incoming edges count.
        facts: Each pair's fact, to resample by.
        seed: Of the bootstrap.

    Raises:
        InputError: The scores are of different pairs or graphs, or the circuit has no scored edge.
    """
    if original.graph != other.graph or original.mlp_scores.shape != other.mlp_scores.shape:
        raise InputError("CAD compares scores of one model on the same pairs; these differ.")
    before = incoming(original, circuit)  # [pairs, edges]
    after = incoming(other, circuit)
    if not before.mean(0).any():
        raise InputError("Every edge into the circuit scores zero; CAD is undefined.")

    def cad(weights: np.ndarray) -> np.ndarray:  # [resamples, pairs] -> [resamples]
        s, changed = weights @ before, weights @ after
        kept, size = (np.sign(s) * changed).sum(1), np.abs(s).sum(1)
        # Of facts whose edges all score zero, none is lost.
        return 1 - np.divide(kept, size, out=np.ones_like(size), where=size > 0)

    def normalised(weights: np.ndarray) -> np.ndarray:
        s, changed = weights @ before, weights @ after
        size = np.where(s != 0, np.abs(changed), 0).sum(1)
        # An attribution that vanished altogether has nothing left to point the old way.
        aligned = (np.sign(s) * changed).sum(1)
        return 1 - np.divide(aligned, size, out=np.zeros_like(size), where=size > 0)

    s, changed = before.mean(0), after.mean(0)
    return Divergence(
        cluster_bootstrap(cad, facts, seed),
        cluster_bootstrap(normalised, facts, seed),
        (other.metric.mean() / original.metric.mean()).item(),
        float(np.abs(changed[s != 0]).sum() / np.abs(s).sum()),
    )


def incoming(scores: EdgeScores, circuit: Circuit) -> np.ndarray:
    """Each pair's scores of the edges into the circuit, float64, ``[pairs, edges]``."""
    return scores.mlp_scores[:, :, list(circuit.layers)].flatten(1).double().numpy()


@dataclass(frozen=True)
class ActivationShift:
    """How much the nodes' response to the subject changed.

    Attributes:
        inside: AS-C, mean over the circuit's MLPs.
        outside: AS-NC, mean over all other heads and MLPs.
        ratio: AS-C over AS-NC, both on the same drawn facts; None where AS-NC is 0.
        by_node: Each source's own relative change, NaN where δ is zero, ``[sources]``.
    """

    inside: Estimate
    outside: Estimate
    ratio: Estimate | None
    by_node: np.ndarray


def activation_shift(
    original: torch.Tensor,
    other: torch.Tensor,
    graph: Graph,
    circuit: Circuit,
    facts: Sequence[str],
    seed: int = SEED,
) -> ActivationShift:
    """AS-C and AS-NC between two states of a model.

    Args:
        original: Source differences of the reference, ``[pairs, sources, d]``.
        other: The same of the state to judge.
        graph: Their graph.
        circuit: What counts as inside.
        facts: Each pair's fact, to resample by.
        seed: Of the bootstrap.
    """
    change = (other - original).double().square().sum(2).numpy()  # [pairs, sources]
    size = original.double().square().sum(2).numpy()
    live = size.sum(0) > 0
    members = np.zeros(graph.sources, dtype=bool)
    members[[graph.mlp_source(layer) for layer in circuit.layers]] = True

    def mean_over(nodes: np.ndarray):
        def shift(weights: np.ndarray) -> np.ndarray:
            moved, had = weights @ change[:, nodes], weights @ size[:, nodes]  # [resamples, nodes]
            # A node may answer to some facts alone; without them it has nothing to change.
            ratio = np.sqrt(np.divide(moved, had, out=np.zeros_like(moved), where=had > 0))
            return ratio.sum(1) / np.maximum((had > 0).sum(1), 1)

        return shift

    shift_inside, shift_outside = mean_over(members & live), mean_over(~members & live)

    def ratio(weights: np.ndarray) -> np.ndarray:
        return shift_inside(weights) / np.maximum(shift_outside(weights), np.finfo(float).tiny)

    outside = cluster_bootstrap(shift_outside, facts, seed)
    by_node = np.full(graph.sources, np.nan)
    by_node[live] = np.sqrt(change[:, live].sum(0) / size[:, live].sum(0))
    return ActivationShift(
        cluster_bootstrap(shift_inside, facts, seed),
        outside,
        cluster_bootstrap(ratio, facts, seed) if outside.low > 0 else None,
        by_node,
    )
