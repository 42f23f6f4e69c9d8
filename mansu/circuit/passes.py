"""Forward passes of the decoder and what is read from them.

A run is one row of a batch: one prompt, from its embeddings to the residual stream in front of the
final norm.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from nnsight import NNsight

from mansu.circuit.graph import Graph
from mansu.circuit.metric import last_position
from mansu.circuit.norm import inverse_scale
from mansu.circuit.prompts import Prompts, working
from mansu.models import LanguageModel


@dataclass
class Writes:
    """What the sources add to the residual stream, kept small: heads before their output matrix.

    Where a norm sits between the attention output and the residual stream, each token's scale in
    that norm is already divided out of its heads; `head_weight` holds the norm's gain.

    Attributes:
        embedding: ``[rows, positions, d]``.
        heads: One tensor a layer, ``[rows, positions, heads · head_size]``.
        mlps: One tensor a layer, ``[rows, positions, d]``.
    """

    embedding: torch.Tensor = field(default_factory=lambda: torch.empty(0))
    heads: list[torch.Tensor] = field(default_factory=list)
    mlps: list[torch.Tensor] = field(default_factory=list)


@dataclass
class LayerReads:
    """What one layer's readers saw, and the tensors their gradients are taken at.

    Attributes:
        attention_input: Residual stream in front of the attention norm, ``[rows, positions, d]``.
        projections: Outputs of the q, k and v projections, ``[rows, positions, width]`` each.
        mlp_input: Residual stream in front of the MLP's norm, ``[rows, positions, d]``.
        mlp_normed: That norm's output, ``[rows, positions, d]``.
    """

    attention_input: torch.Tensor
    projections: tuple[torch.Tensor, ...]
    mlp_input: torch.Tensor
    mlp_normed: torch.Tensor

    @property
    def targets(self) -> tuple[torch.Tensor, ...]:
        """Where gradients are taken: the q, k, v outputs and the MLP norm's output."""
        return (*self.projections, self.mlp_normed)


@dataclass
class Pass:
    """What was read from a batch of runs.

    Attributes:
        writes: Of the rows that were asked for.
        reads: One a layer, all rows; empty if they were not asked for.
        residual: In front of the final norm at the last position, ``[rows, d]``.
    """

    writes: Writes
    reads: list[LayerReads]
    residual: torch.Tensor


def run(
    view: NNsight,
    model: LanguageModel,
    prompts: Prompts,
    embeddings: torch.Tensor,
    write_rows: slice | None,
    with_reads: bool,
) -> Pass:
    """Runs the decoder once on a batch.

    Args:
        view: The decoder, opened by `mansu.circuit.tracing.opened`.
        model: The model it belongs to.
        prompts: The prompts; the batch holds them one or more times.
        embeddings: ``[rows, positions, d]``; gradients flow if it requires them.
        write_rows: The rows whose writes are kept.
        with_reads: Whether to keep what the readers saw.
    """
    family = model.family
    epsilon = model.config.rms_norm_eps
    inputs = prompts.inputs(embeddings.shape[0] // len(prompts))
    writes, reads, final = Writes(), [], []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.detach()[write_rows].clone()

    # One pass over the modules in execution order, as nnsight asks. The lists outlive the block.
    with view.trace(inputs_embeds=embeddings, use_cache=False, **inputs):
        for layer, block in enumerate(view.layers):
            attention_input = getattr(block, family.attention_norm).input
            if write_rows is not None and layer == 0:
                writes.embedding = keep(attention_input)
            attention = block.self_attn
            if with_reads:
                projections = tuple(
                    projection.output
                    for projection in (attention.q_proj, attention.k_proj, attention.v_proj)
                )
            if write_rows is not None:
                heads = keep(attention.o_proj.input)
                if family.attention_post_norm:
                    raw = keep(getattr(block, family.attention_post_norm).input).to(working(heads))
                    heads = heads * inverse_scale(raw, epsilon)
                writes.heads.append(heads)
            if with_reads:
                norm = getattr(block, family.mlp_norm)
                mlp_input = norm.input
                reads.append(
                    LayerReads(
                        attention_input.detach(), projections, mlp_input.detach(), norm.output
                    )
                )
            if write_rows is not None:
                last_of_mlp = getattr(block, family.mlp_post_norm or "mlp")
                writes.mlps.append(keep(last_of_mlp.output))
        final.append(last_position(view.norm.input, prompts))
    return Pass(writes, reads, final[0])


def run_ends(view: NNsight, model: LanguageModel, prompts: Prompts) -> tuple[Pass, Pass]:
    """The corrupted and the clean run, with their writes and without gradients."""
    with torch.no_grad():
        corrupted = run(view, model, prompts, prompts.corrupted, slice(None), False)
        clean = run(view, model, prompts, prompts.clean, slice(None), False)
    return corrupted, clean


def gain(model: LanguageModel, norm: Any) -> torch.Tensor:
    """A norm's gain in the working dtype, ``[d]``."""
    weight = norm.weight.detach()
    return weight.to(working(weight)) + model.family.gain_offset


def head_weight(model: LanguageModel, layer: int) -> torch.Tensor:
    """What carries each head's output to the residual stream, ``[heads, head_size, d]``."""
    block: Any = model.family.blocks(model.module)[layer]
    weight = block.self_attn.o_proj.weight.detach()  # [d, heads · head_size]
    if model.family.attention_post_norm:
        norm = getattr(block, model.family.attention_post_norm)
        weight = weight.to(working(weight)) * gain(model, norm)[:, None]
    heads = model.config.num_attention_heads
    return weight.to(working(weight)).T.reshape(heads, -1, weight.shape[0])


def write_differences(
    model: LanguageModel, graph: Graph, corrupted: Writes, clean: Writes
) -> torch.Tensor:
    """What every source writes on the corrupted prompt minus what it writes on the clean one.

    The sum over the sources equals the difference of the residual streams in front of the final
    norm, and the sum over a prefix the one at that point.

    Returns:
        ``[sources, rows · positions, d]``, at least float32.
    """
    kind = working(corrupted.embedding)
    tokens = corrupted.embedding.shape[0] * corrupted.embedding.shape[1]
    d = corrupted.embedding.shape[2]
    out = torch.empty(graph.sources, tokens, d, dtype=kind, device=corrupted.embedding.device)

    def subtract(high: torch.Tensor, low: torch.Tensor) -> torch.Tensor:
        return (high.to(kind) - low.to(kind)).reshape(tokens, -1)

    out[0] = subtract(corrupted.embedding, clean.embedding)
    for layer in range(graph.layers):
        heads = subtract(corrupted.heads[layer], clean.heads[layer])
        by_head = heads.reshape(tokens, graph.heads, -1).transpose(0, 1)
        torch.bmm(by_head, head_weight(model, layer), out=out[graph.layer_heads(layer)])
        out[graph.mlp_source(layer)] = subtract(corrupted.mlps[layer], clean.mlps[layer])
    return out
