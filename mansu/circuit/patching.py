"""Activation patching: M after part of a clean run is replaced by what the corrupted run had.

These are real interventions, one forward pass each; attribution approximates what they measure.
"""

from collections.abc import Collection, Sequence

import torch
from nnsight import NNsight

from mansu.circuit.graph import Graph, ReaderKind
from mansu.circuit.metric import last_position, logit_difference
from mansu.circuit.passes import Writes, run_ends, write_differences
from mansu.circuit.prompts import Prompts, check_pairs, embed
from mansu.circuit.tracing import opened
from mansu.data.pairs import Pair
from mansu.models import LanguageModel
from mansu.models.batch import PaddingSide

_PROJECTIONS = {
    ReaderKind.QUERY: "q_proj",
    ReaderKind.KEY: "k_proj",
    ReaderKind.VALUE: "v_proj",
}


def patch_edges(
    model: LanguageModel,
    pairs: Sequence[Pair],
    edges: Sequence[tuple[int, int]],
    batch_size: int = 8,
    padding_side: PaddingSide = "right",
) -> torch.Tensor:
    """M when one edge at a time carries the corrupted run's contribution.

    In a clean run, what the source wrote is exchanged for what it writes on the corrupted prompt,
    in this reader's input only; everything after the reader follows.

    Args:
        model: The model; it is left as it was.
        pairs: Clean/corrupted pairs.
        edges: (source, reader) indices, see `Graph.edge`.
        batch_size: Pairs a forward pass.
        padding_side: Where shorter prompts are padded.

    Returns:
        ``[pairs, edges]``, in logits, on the CPU.

    Raises:
        InputError: Unusable pairs.
    """
    check_pairs(pairs)
    graph = Graph.of(model)
    parts = []
    with opened(model) as view, torch.no_grad():
        for start in range(0, len(pairs), batch_size):
            prompts = embed(model, pairs[start : start + batch_size], padding_side)
            corrupted, clean = run_ends(view, model, prompts)
            differences = write_differences(model, graph, corrupted.writes, clean.writes)
            columns = []
            for source, reader in edges:
                change = differences[source].reshape(prompts.clean.shape).to(prompts.clean.dtype)
                residual = _run_with_edge(view, model, graph, prompts, change, reader)
                columns.append(logit_difference(model, residual, prompts))
            parts.append(torch.stack(columns, 1).cpu())
    return torch.cat(parts)


def _run_with_edge(
    view: NNsight,
    model: LanguageModel,
    graph: Graph,
    prompts: Prompts,
    change: torch.Tensor,
    reader: int,
) -> torch.Tensor:
    """Last residual ``[pairs, d]`` of a clean run whose reader sees its input plus ``change``."""
    kind = ReaderKind(int(graph.reader_kind[reader]))
    layer = int(graph.reader_layer[reader])
    size = model.family.head_size(model.config)
    columns = slice(
        int(graph.reader_head[reader]) * size, int(graph.reader_head[reader] + 1) * size
    )
    final = []
    with view.trace(inputs_embeds=prompts.clean, use_cache=False, **prompts.inputs(1)):
        if kind in _PROJECTIONS:
            norm = getattr(view.layers[layer], model.family.attention_norm)
            shifted = norm(norm.input + change)
            projection = getattr(view.layers[layer].self_attn, _PROJECTIONS[kind])
            output = projection.output.clone()
            output[..., columns] = projection(shifted)[..., columns]
            projection.output = output
        elif kind == ReaderKind.MLP:
            norm = getattr(view.layers[layer], model.family.mlp_norm)
            norm.output = norm(norm.input + change)
        residual = view.norm.input
        final.append(residual + change if kind == ReaderKind.LOGITS else residual)
    return last_position(final[0], prompts)


def run_with_corrupted_mlps(
    view: NNsight,
    model: LanguageModel,
    prompts: Prompts,
    corrupted: Writes,
    layers: Collection[int],
) -> torch.Tensor:
    """M ``[pairs]`` of a clean run in which these layers' MLPs write as on the corrupted prompt."""
    name = model.family.mlp_post_norm or "mlp"
    final = []
    with view.trace(inputs_embeds=prompts.clean, use_cache=False, **prompts.inputs(1)):
        for layer in sorted(layers):
            getattr(view.layers[layer], name).output = corrupted.mlps[layer]
        final.append(last_position(view.norm.input, prompts))
    return logit_difference(model, final[0], prompts)
