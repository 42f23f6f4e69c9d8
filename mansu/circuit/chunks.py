"""Cuts an attribution into chunks that fit a memory budget, by counting bytes from shapes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from mansu.circuit.graph import Graph
from mansu.data.pairs import Pair
from mansu.models import LanguageModel


@dataclass(frozen=True)
class Chunk:
    """Pairs that are scored together.

    Attributes:
        rows: Their indices among all pairs.
        runs: How many grid points are run at once.
    """

    rows: list[int]
    runs: int


def chunks(
    model: LanguageModel,
    graph: Graph,
    pairs: Sequence[Pair],
    grid_size: int,
    batch_size: int,
    memory_mb: int,
) -> Iterator[Chunk]:
    """Groups pairs of similar length, longest first, as many as the budget holds.

    If all grid points of one pair do not fit, its grid is cut as well.
    """
    order = sorted(range(len(pairs)), key=lambda row: -len(pairs[row].clean))
    budget = memory_mb * 2**20
    start = 0
    while start < len(order):
        tokens = len(pairs[order[start]].clean)
        fixed, per_run = pair_bytes(model, graph, tokens), run_bytes(model, tokens)
        fit = int(budget // (fixed + grid_size * per_run))
        if fit >= 1:
            size, runs = min(fit, batch_size), grid_size
        else:
            size, runs = 1, min(grid_size, max(1, int((budget - fixed) // per_run)))
        yield Chunk(order[start : start + size], runs)
        start += size


def run_bytes(model: LanguageModel, tokens: int) -> int:
    """Bytes that one run of one pair with gradients holds at its peak."""
    config = model.config
    head_size = model.family.head_size(config)
    query = config.num_attention_heads * head_size
    shared = config.num_key_value_heads * head_size
    d, inner = config.hidden_size, config.intermediate_size
    # Autograd: both norms' inputs, rotated q, repeated k and v, attention output, three in the MLP.
    saved = 2 * d + 4 * query + 3 * inner
    # Ours: projection outputs, MLP norm output, and the gradients at all of these.
    read = 2 * (query + 2 * shared + d)
    itemsize = torch.finfo(model.module.dtype).bits // 8
    return tokens * model.layers * (saved + read) * itemsize


def pair_bytes(model: LanguageModel, graph: Graph, tokens: int) -> int:
    """Bytes that one pair holds beside its runs: source differences, writes, a layer's readers."""
    config = model.config
    d = config.hidden_size
    query = config.num_attention_heads * model.family.head_size(config)
    width = 8 if model.module.dtype == torch.float64 else 4
    floats = graph.sources * d + 2 * graph.layers * (query + d) + 2 * graph.layer_readers * d
    return tokens * floats * width
