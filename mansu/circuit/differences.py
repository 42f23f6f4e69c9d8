"""How much every node's activation depends on the subject: clean minus corrupted, per node.

The two structural metrics AS-C and AS-NC compare these differences between two models. They need
one well-defined vector a node; we take the write to the residual stream at the last position,
where M is read [O].
"""

from collections.abc import Sequence

import torch

from mansu.circuit.graph import Graph
from mansu.circuit.metric import last_position
from mansu.circuit.passes import Writes, run_ends, write_differences
from mansu.circuit.prompts import Prompts, check_pairs, embed
from mansu.circuit.tracing import opened
from mansu.data.pairs import Pair
from mansu.models import LanguageModel
from mansu.models.batch import PaddingSide


def source_differences(
    model: LanguageModel,
    pairs: Sequence[Pair],
    batch_size: int = 8,
    padding_side: PaddingSide = "right",
) -> torch.Tensor:
    """What each source writes at the last position: clean run minus corrupted run.

    A source that does not see the subject has an exact 0 there, as the embedding does where both
    prompts end in the same token: leave such nodes out of a relative change.

    Returns:
        ``[pairs, sources, d]``, at least float32, on the CPU.

    Raises:
        InputError: Unusable pairs.
    """
    check_pairs(pairs)
    graph = Graph.of(model)
    parts = []
    with opened(model) as view:
        for start in range(0, len(pairs), batch_size):
            prompts = embed(model, pairs[start : start + batch_size], padding_side)
            corrupted, clean = (
                _at_last(end.writes, prompts) for end in run_ends(view, model, prompts)
            )
            # Swapped arguments: this difference is clean minus corrupted.
            parts.append(write_differences(model, graph, clean, corrupted).transpose(0, 1).cpu())
    return torch.cat(parts)


def _at_last(writes: Writes, prompts: Prompts) -> Writes:
    """The same writes at each prompt's last position only."""

    def take(tensor: torch.Tensor) -> torch.Tensor:
        return last_position(tensor, prompts)[:, None]

    return Writes(
        take(writes.embedding), [take(z) for z in writes.heads], [take(z) for z in writes.mlps]
    )
