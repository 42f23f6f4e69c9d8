"""The edge graph of a decoder: who writes to the residual stream, and who reads from it.

Sources, in execution order: the embedding, then for every layer its attention heads and its MLP.
Readers, in execution order: for every layer its query heads, key heads, value heads and MLP, then
the logits. Under grouped-query attention a key or value reader stands for one shared head; its
score is the exact sum over the query heads that share it.

Edges are never objects: an edge is a cell of a ``[sources, readers]`` tensor.

Source of the graph: Hanna et al. 2024; the shared key and value readers are ours [O].
"""

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import torch

from mansu.errors import InputError
from mansu.models import LanguageModel


class SourceKind(IntEnum):
    """What writes to the residual stream."""

    EMBEDDING = 0
    HEAD = 1
    MLP = 2


class ReaderKind(IntEnum):
    """What reads from the residual stream."""

    QUERY = 0
    KEY = 1
    VALUE = 2
    MLP = 3
    LOGITS = 4


@dataclass(frozen=True)
class Graph:
    """Sources, readers and causal order of a decoder; everything follows from three counts.

    Attributes:
        layers: Number of decoder blocks.
        heads: Query heads of a block.
        kv_heads: Key (and value) heads of a block.
    """

    layers: int
    heads: int
    kv_heads: int

    @classmethod
    def of(cls, model: LanguageModel) -> "Graph":
        """The graph of a model."""
        config = model.config
        return cls(model.layers, config.num_attention_heads, config.num_key_value_heads)

    @property
    def sources(self) -> int:
        """Number of sources."""
        return 1 + self.layers * (self.heads + 1)

    @property
    def layer_readers(self) -> int:
        """Number of readers of one layer."""
        return self.heads + 2 * self.kv_heads + 1

    @property
    def readers(self) -> int:
        """Number of readers."""
        return self.layers * self.layer_readers + 1

    @property
    def logits(self) -> int:
        """Index of the reader ``logits``."""
        return self.readers - 1

    def layer_heads(self, layer: int) -> slice:
        """The sources that are attention heads of a layer."""
        first = 1 + layer * (self.heads + 1)
        return slice(first, first + self.heads)

    def mlp_source(self, layer: int) -> int:
        """Index of a layer's MLP among the sources."""
        return (layer + 1) * (self.heads + 1)

    def attention_readers(self, layer: int) -> slice:
        """The readers that are query, key and value heads of a layer, in this order."""
        first = layer * self.layer_readers
        return slice(first, first + self.layer_readers - 1)

    def mlp_reader(self, layer: int) -> int:
        """Index of a layer's MLP among the readers."""
        return (layer + 1) * self.layer_readers - 1

    @cached_property
    def mlp_readers(self) -> torch.Tensor:
        """Indices of all MLP readers, first layer to last, ``[layers]``."""
        return torch.arange(1, self.layers + 1) * self.layer_readers - 1

    @cached_property
    def source_kind(self) -> torch.Tensor:
        """A `SourceKind` a source, ``[sources]``."""
        layer = [SourceKind.HEAD] * self.heads + [SourceKind.MLP]
        return torch.tensor([SourceKind.EMBEDDING] + layer * self.layers)

    @cached_property
    def source_layer(self) -> torch.Tensor:
        """Layer of each source, -1 for the embedding, ``[sources]``."""
        layers = torch.arange(self.layers).repeat_interleave(self.heads + 1)
        return torch.cat([torch.tensor([-1]), layers])

    @cached_property
    def source_head(self) -> torch.Tensor:
        """Head number of each source, -1 where it is no head, ``[sources]``."""
        layer = torch.tensor([*range(self.heads), -1])
        return torch.cat([torch.tensor([-1]), layer.repeat(self.layers)])

    @cached_property
    def reader_kind(self) -> torch.Tensor:
        """A `ReaderKind` a reader, ``[readers]``."""
        layer = [ReaderKind.QUERY] * self.heads
        layer += [ReaderKind.KEY] * self.kv_heads + [ReaderKind.VALUE] * self.kv_heads
        layer.append(ReaderKind.MLP)
        return torch.tensor(layer * self.layers + [ReaderKind.LOGITS])

    @cached_property
    def reader_layer(self) -> torch.Tensor:
        """Layer of each reader, the number of layers for the logits, ``[readers]``."""
        layers = torch.arange(self.layers).repeat_interleave(self.layer_readers)
        return torch.cat([layers, torch.tensor([self.layers])])

    @cached_property
    def reader_head(self) -> torch.Tensor:
        """Head number of each reader, -1 where it is no head, ``[readers]``."""
        layer = [*range(self.heads), *range(self.kv_heads), *range(self.kv_heads), -1]
        return torch.tensor(layer * self.layers + [-1])

    @cached_property
    def visible(self) -> torch.Tensor:
        """How many sources, counted from the first, each reader can see, ``[readers]``.

        Attention of a layer reads before any of that layer's sources writes; its MLP reads after
        the layer's heads and before its own write.
        """
        before = 1 + self.reader_layer * (self.heads + 1)
        return before + self.heads * (self.reader_kind == ReaderKind.MLP)

    @cached_property
    def mask(self) -> torch.Tensor:
        """True where the source writes before the reader reads, ``[sources, readers]``."""
        return torch.arange(self.sources)[:, None] < self.visible[None, :]

    @cached_property
    def source_names(self) -> tuple[str, ...]:
        """``emb``, ``a3.h5``, ``m7``: one name a source."""
        names = ["emb"]
        for layer in range(self.layers):
            names += [f"a{layer}.h{head}" for head in range(self.heads)] + [f"m{layer}"]
        return tuple(names)

    @cached_property
    def reader_names(self) -> tuple[str, ...]:
        """``q3.5``, ``k3.1``, ``v3.1``, ``m7``, ``logits``: one name a reader."""
        names: list[str] = []
        for layer in range(self.layers):
            names += [f"q{layer}.{head}" for head in range(self.heads)]
            names += [f"{kind}{layer}.{head}" for kind in "kv" for head in range(self.kv_heads)]
            names.append(f"m{layer}")
        return (*names, "logits")

    def edge(self, source: str, reader: str) -> tuple[int, int]:
        """Indices of an edge given by the names of its ends.

        Raises:
            InputError: No such source or reader, or the source writes too late to be read.
        """
        for name, names in ((source, self.source_names), (reader, self.reader_names)):
            if name not in names:
                raise InputError(f"'{name}' is no node of this graph; it has {', '.join(names)}.")
        pair = self.source_names.index(source), self.reader_names.index(reader)
        if not self.mask[pair]:
            raise InputError(f"'{source}' writes after '{reader}' reads; choose a later reader.")
        return pair
