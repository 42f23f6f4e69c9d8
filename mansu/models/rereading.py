"""A model that reads the same batches again and again while its upper blocks change.

A check of a training asks the same questions as the check before. Below the lowest trained block
nothing has changed since, so that what enters it is kept from the first reading, and later ones run
the blocks above alone.
"""

from dataclasses import dataclass, field

import torch
from torch import nn
from transformers import DynamicCache

from mansu.models.batch import Batch
from mansu.models.language_model import LanguageModel
from mansu.models.split import split


@dataclass(frozen=True)
class _Reading:
    """What was read, and the stream that entered the lowest changing block.

    Attributes:
        batch: The batch, padding and what was read before it included.
        stream: ``[batch, length, width]``.
    """

    batch: Batch
    stream: torch.Tensor

    def holds(self, batch: Batch) -> bool:
        """Whether this is the same batch."""
        pairs = zip(vars(self.batch).values(), vars(batch).values(), strict=True)
        return all(torch.equal(one, other) for one, other in pairs)


@dataclass(frozen=True)
class Rereading(LanguageModel):
    """A model in one precision that is asked one list of questions several times.

    Attributes:
        layer: The lowest block that changes between two readings.
        upper: The decoder from there on.
        readings: What was read the first time, batch by batch.
        place: How many batches were read this time.
    """

    layer: int
    upper: nn.Module
    readings: list[_Reading] = field(default_factory=list)
    place: list[int] = field(default_factory=lambda: [0])

    @classmethod
    def of(cls, model: LanguageModel, layer: int) -> "Rereading":
        """The model, none of whose blocks below ``layer`` will change."""
        return cls(**vars(model), layer=layer, upper=split(model, layer)[1])

    def again(self) -> "Rereading":
        """The same, from the first batch on."""
        self.place[0] = 0
        return self

    def hidden(self, batch: Batch, cache: DynamicCache | None = None) -> torch.Tensor:
        """Normalised final hidden states, ``[batch, length, width]``.

        Raises:
            ValueError: The batch is another one than in its place the first time.
        """
        place = self.place[0]
        self.place[0] += 1
        if place == len(self.readings):
            return self._read_first(batch, cache)
        reading = self.readings[place]
        if not reading.holds(batch):
            raise ValueError("other batches are read than the first time")
        given = (None, batch.attention_mask, batch.position_ids, cache, reading.stream)
        found = self.upper(*given, use_cache=cache is not None).last_hidden_state
        if cache is not None:
            # Masks are made for the length of the first block's keys, which nobody reads.
            empty = reading.stream[:, None, :, :1]  # [batch, heads, length, head width]
            for layer in range(self.layer):
                cache.update(empty, empty, layer)
        return found

    def _read_first(self, batch: Batch, cache: DynamicCache | None) -> torch.Tensor:
        streams: list[torch.Tensor] = []
        block: nn.Module = self.module.get_decoder().layers[self.layer]  # pyright: ignore

        def keep(module: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
            streams.append(given[0].detach())

        hook = block.register_forward_pre_hook(keep)
        try:
            found = super().hidden(batch, cache)
        finally:
            hook.remove()
        self.readings.append(_Reading(batch, streams[0]))
        return found
