"""How far attribution can be trusted: against patching, against finer grids, against other pairs.

The paper leaves this open; all of it is ours [O].

* Agreement with patching. Attribution estimates what exact patching of one edge would do to M. On a
  sample of edges both are measured and correlated. The sample is spread evenly over the ranks of
  |score|: drawn at random it would consist of edges that do nothing.
* Agreement between grids. EAP and EAP-IG at several K against the finest of them, over all edges.
* Agreement between draws. The ranking of the MLPs from other pairs of the same facts.

Every row carries what it cost: the time of its own computation, on the same pairs.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import spearmanr

from mansu.circuit.attribution import EdgeScores, Method, attribute
from mansu.circuit.patching import patch_edges
from mansu.circuit.selection import rank_mlps
from mansu.data.pairs import Pair
from mansu.errors import InputError
from mansu.models import LanguageModel

REFERENCE_STEPS = 20  # K of the finest grid


@dataclass(frozen=True)
class Agreement:
    """One way to score edges, held against patching and against the finest grid.

    Attributes:
        name: ``EAP``, ``EAP-IG, K = 5`` and so on.
        steps: Grid points; 1 for EAP.
        patching: Spearman correlation with exact patching over the sampled edges.
        reference: Spearman correlation with the finest grid over all edges.
        overlap: Share of its top-k MLPs that are also the finest grid's.
        seconds: Wall time of the scoring.
    """

    name: str
    steps: int
    patching: float
    reference: float
    overlap: float
    seconds: float


@dataclass(frozen=True)
class Quality:
    """What `compare_methods` measured.

    Attributes:
        rows: One a method, cheapest first; the last is the finest grid.
        edges: The sampled edges as (source, reader), ``[edges, 2]``.
        patched: Mean change of M when the edge is patched, in logits, ``[edges]``.
        scored: Each method's scores of these edges, in logits, ``[methods, edges]``.
        patching_seconds: Wall time of patching the sampled edges.
        all_edges: Number of edges of the graph, which exact patching would have to visit.
        pairs: Pairs that everything was measured on.
    """

    rows: tuple[Agreement, ...]
    edges: torch.Tensor
    patched: torch.Tensor
    scored: torch.Tensor
    patching_seconds: float
    all_edges: int
    pairs: int


def sample_edges(scores: EdgeScores, count: int) -> torch.Tensor:
    """Edges spread evenly over the ranks of |score| on a log scale, the strongest included.

    Returns:
        (source, reader) indices, strongest first, ``[at most count, 2]``.

    Raises:
        InputError: Fewer than two edges are asked for.
    """
    if count < 2:
        raise InputError(f"A sample of {count} edges cannot be correlated; ask for at least 2.")
    causal = scores.graph.mask.nonzero()  # [edges, 2]
    size = scores.scores[causal[:, 0], causal[:, 1]].abs()
    order = size.argsort(descending=True, stable=True)
    ranks = np.geomspace(1, len(order), min(count, len(order))).round().astype(int) - 1
    return causal[order[torch.from_numpy(np.unique(ranks))]]


def compare_methods(
    model: LanguageModel,
    pairs: Sequence[Pair],
    top_k: int,
    steps: Sequence[int] = (2, 5, 10),
    edges: int = 48,
    memory_mb: int = 1024,
    progress: Callable[[int, int], None] | None = None,
) -> Quality:
    """Scores the same pairs by EAP and by EAP-IG at several K, and patches a sample of edges.

    Args:
        model: The model; it is left as it was.
        pairs: Clean/corrupted pairs.
        top_k: Size of the circuits that are compared.
        steps: The values of K, beside `REFERENCE_STEPS`.
        edges: How many edges are patched.
        memory_mb: As in `attribute`.
        progress: Called with (parts done, parts in all).

    Raises:
        InputError: Unusable pairs or settings.
    """
    ways: list[tuple[str, Method, int]] = [("EAP", "eap", 1)]
    every = sorted({*steps, REFERENCE_STEPS})
    for k in every:
        ways.append((f"EAP-IG, K = {k}", "eap-ig", k))
    parts = len(ways) + 1

    def done(count: int) -> None:
        if progress is not None:
            progress(count, parts)

    scored, seconds = [], []
    for number, (_, method, k) in enumerate(ways):
        start = time.monotonic()
        scored.append(attribute(model, pairs, method, k, memory_mb=memory_mb))
        seconds.append(time.monotonic() - start)
        done(number + 1)
    finest = scored[-1]
    sample = sample_edges(finest, edges)
    start = time.monotonic()
    listed = [(int(source), int(reader)) for source, reader in sample]
    patched = patch_edges(model, pairs, listed).mean(0) - finest.metric.mean()
    patching_seconds = time.monotonic() - start
    done(parts)
    columns = torch.stack([s.scores[sample[:, 0], sample[:, 1]] for s in scored])
    rows = tuple(
        Agreement(
            name,
            k,
            patching=_spearman(column, patched),
            reference=_spearman(_causal(found), _causal(finest)),
            overlap=top_overlap(rank_mlps(found), rank_mlps(finest), top_k),
            seconds=took,
        )
        for (name, _, k), found, column, took in zip(ways, scored, columns, seconds, strict=True)
    )
    size = int(finest.graph.mask.sum())
    return Quality(rows, sample, patched, columns, patching_seconds, size, len(pairs))


def top_overlap(one: Sequence[int], other: Sequence[int], top_k: int) -> float:
    """Share of the first ``top_k`` of one ranking that the other's first ``top_k`` hold."""
    return len(set(one[:top_k]) & set(other[:top_k])) / top_k


def _causal(scores: EdgeScores) -> torch.Tensor:
    return scores.scores[scores.graph.mask]


def _spearman(one: torch.Tensor, other: torch.Tensor) -> float:
    """Rank correlation; 0 where one side is constant and no rank exists."""
    if one.min() == one.max() or other.min() == other.max():
        return 0.0
    return float(spearmanr(one.double().numpy(), other.double().numpy())[0])  # pyright: ignore
