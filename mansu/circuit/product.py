"""Source differences times reader gradients, layer by layer, while the gradients arrive.

One backward pass delivers the gradients at every layer's readers, last layer first. As soon as a
layer's are complete they are pulled back to the residual stream, multiplied with the differences of
the sources that write before it, and let go, so a batch never holds all layers' gradients.
"""

from typing import Any

import torch

from mansu.circuit.graph import Graph
from mansu.circuit.norm import NormInput, pull_back, pull_back_heads
from mansu.circuit.passes import LayerReads, Pass, gain
from mansu.circuit.prompts import Prompts
from mansu.models import LanguageModel

# Layers with few readers share a matrix product until it has about this many columns.
_READERS_AT_ONCE = 48


class EdgeProduct:
    """Adds up every pair's edge scores over the runs of an integrated gradient.

    Attributes:
        scores: Σ over runs and positions of difference · gradient, ``[pairs, sources, readers]``.
        said: Its part at the last position, into MLPs alone, ``[pairs, sources, layers]``.
    """

    def __init__(
        self, model: LanguageModel, graph: Graph, prompts: Prompts, differences: torch.Tensor
    ) -> None:
        """Takes the source differences ``[sources, pairs · positions, d]``."""
        self.model, self.graph, self.prompts = model, graph, prompts
        self.differences = differences
        self.scores = differences.new_zeros(len(prompts), graph.sources, graph.readers)
        self.said = differences.new_zeros(len(prompts), graph.sources, graph.layers)
        self._last = self._at_last(differences)
        # The same differences, per pair, positions and width as one long vector.
        self._by_pair = differences.unflatten(1, (len(prompts), -1)).flatten(2).transpose(0, 1)
        self._group = max(1, _READERS_AT_ONCE // graph.layer_readers)  # layers
        self._pulled = differences.new_empty(0)

    def add_layer(self, layer: int, reads: LayerReads, gradients: tuple[torch.Tensor, ...]) -> None:
        """Adds the edges into one layer's readers; gradients at ``reads.targets``.

        Layers come last to first, as a backward pass delivers them.
        """
        graph, (tokens, d) = self.graph, self.differences.shape[1:]
        low = layer - layer % self._group
        high = min(low + self._group, graph.layers) - 1
        if layer == high:
            count = (high - low + 1) * graph.layer_readers
            self._pulled = self.differences.new_empty(count, tokens, d)
        first = (layer - low) * graph.layer_readers
        self._pull_back(layer, reads, gradients, self._pulled[first : first + graph.layer_readers])
        if layer == low:
            self._multiply(low, high)

    def _multiply(self, low: int, high: int) -> None:
        """Adds the edges into the readers of the layers from ``low`` to ``high``.

        One product for all of them, over every source that writes before the last of them reads;
        what the earlier readers do not see is masked out. The waste is small, and a product with
        few columns is slow.
        """
        graph, pairs = self.graph, len(self.prompts)
        visible = graph.mlp_source(high)
        readers = slice(graph.attention_readers(low).start, graph.mlp_reader(high) + 1)
        by_pair = self._pulled.unflatten(1, (pairs, -1)).flatten(2).permute(1, 2, 0)
        scores = torch.bmm(self._by_pair[:, :visible], by_pair)
        mask = graph.mask[:visible, readers].to(scores.device)
        self.scores[:, :visible, readers] += scores * mask
        into_mlps = self._at_last(self._pulled[graph.layer_readers - 1 :: graph.layer_readers])
        said = torch.einsum("spd,lpd->psl", self._last[:visible], into_mlps)
        mlps = [graph.mlp_reader(layer) for layer in range(low, high + 1)]
        self.said[:, :visible, low : high + 1] += said * graph.mask[:visible, mlps].to(said.device)
        self._pulled = self.differences.new_empty(0)

    def add_logits(self, gradient: torch.Tensor) -> None:
        """Adds the edges into the logits; gradient at the last positions, ``[rows, d]``."""
        pairs = len(self.prompts)
        summed = gradient.to(self.differences.dtype).unflatten(0, (-1, pairs)).sum(0)  # [pairs, d]
        self.scores[:, :, self.graph.logits] += torch.einsum("spd,pd->ps", self._last, summed)

    def _at_last(self, tensor: torch.Tensor) -> torch.Tensor:
        """The prompts' last positions, ``[n, pairs · positions, d] -> [n, pairs, d]``."""
        pairs = len(self.prompts)
        rows = torch.arange(pairs, device=tensor.device)
        return tensor.unflatten(1, (pairs, -1))[:, rows, self.prompts.last]

    def _pull_back(
        self,
        layer: int,
        reads: LayerReads,
        gradients: tuple[torch.Tensor, ...],
        out: torch.Tensor,
    ) -> None:
        """Writes a layer's residual-side gradients, summed over runs, ``[readers, tokens, d]``."""
        family, config = self.model.family, self.model.config
        block: Any = family.blocks(self.model.module)[layer]
        tokens, kind = self.differences.shape[1], self.differences.dtype

        def by_run(tensor: torch.Tensor) -> torch.Tensor:
            return tensor.detach().reshape(-1, tokens, tensor.shape[-1]).to(kind)

        def norm_input(x: torch.Tensor, name: str) -> NormInput:
            return NormInput.of(
                by_run(x), gain(self.model, getattr(block, name)), config.rms_norm_eps
            )

        norm, first = norm_input(reads.attention_input, family.attention_norm), 0
        projections = (block.self_attn.q_proj, block.self_attn.k_proj, block.self_attn.v_proj)
        for projection, output, gradient in zip(
            projections, reads.projections, gradients[:3], strict=True
        ):
            product = by_run(output)
            if projection.bias is not None:
                product = product - projection.bias.detach()
            last = first + output.shape[-1] // family.head_size(config)
            weight = projection.weight.detach().to(kind)
            pull_back_heads(norm, by_run(gradient), product, weight, out[first:last])
            first = last
        norm = norm_input(reads.mlp_input, family.mlp_norm)
        pull_back(norm, by_run(gradients[3]), by_run(reads.mlp_normed), out[first:])


def differentiate(
    values: torch.Tensor, embeddings: torch.Tensor, batch: Pass, product: EdgeProduct
) -> None:
    """One backward pass from M to the embeddings, each layer's gradients handed on as they come.

    Gradients reach no parameter: autograd is asked for those at the embeddings and at the last
    residual stream only, and the layers' are seen in passing by hooks that die with the graph.

    Args:
        values: M of every run, ``[rows]``.
        embeddings: What the runs started from.
        batch: The runs; its reads are emptied on the way.
        product: Where the scores are added up.
    """
    waiting = dict(enumerate(batch.reads))
    batch.reads.clear()
    for layer in waiting:
        _watch(layer, waiting, product)
    try:
        ends = [embeddings, batch.residual]
        _, gradient = torch.autograd.grad(values, ends, torch.ones_like(values))
    finally:
        # A hook holds `waiting`, which holds the hook's tensor: emptied, the graph can be freed.
        waiting.clear()
    product.add_logits(gradient)


def _watch(layer: int, waiting: dict[int, LayerReads], product: EdgeProduct) -> None:
    """Hands a layer to ``product.add_layer`` once the gradients at all its targets are there."""
    targets = len(waiting[layer].targets)
    arrived: dict[int, torch.Tensor] = {}

    def arrive(index: int, gradient: torch.Tensor) -> None:
        arrived[index] = gradient
        if len(arrived) == targets:
            product.add_layer(layer, waiting.pop(layer), tuple(arrived[i] for i in range(targets)))
            arrived.clear()

    for index, target in enumerate(waiting[layer].targets):
        target.register_hook(lambda gradient, index=index: arrive(index, gradient))
