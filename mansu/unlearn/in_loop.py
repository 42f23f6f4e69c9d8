"""Training through the quantizer: the default floor [O].

1. A latent starts at its weight's original value and is stepped by the optimizer.
2. It is clamped to its block's ±absmax; the absmax elements themselves never move, so no block's
   scale can change.
3. A weight whose latent has left its original bin takes the level of its new bin, in the FP model
   and in the deployed one alike: a level is a fixed point of the quantizer. Every other weight
   keeps its original value.
4. Gradients pass the snap unchanged (straight-through); the loss is taken in both precisions.

With several codebooks the loss is taken in each, and a weight moves where no format undoes it
(:mod:`mansu.unlearn.floor`); what is deployed is then the level that its value has in each.
"""

from collections.abc import Mapping

import torch

from mansu.quant.codebook import BLOCK, Codebook, block_absmax
from mansu.unlearn.floor import snap
from mansu.unlearn.latents import Latents, _leaves
from mansu.unlearn.mask import Movable


class InLoopLatents(Latents):
    """Movable weights that are either original or snapped to another level.

    Args:
        originals: See :class:`Latents`.
        movable: See :class:`Latents`.
        codebooks: Of the formats that training aims at; their names are the precisions after FP.
    """

    def __init__(
        self,
        originals: Mapping[str, torch.Tensor],
        movable: Movable,
        *codebooks: Codebook,
    ) -> None:
        super().__init__(originals, movable)
        self.codebooks = codebooks
        self.precisions = ("fp", *(book.name for book in self.codebooks))
        self.deployed: dict[str, torch.Tensor] = {}  # by format, [movable]
        self.code: dict[str, torch.Tensor] = {}
        for book in self.codebooks:
            quantized = {name: book.dequantized(weight) for name, weight in originals.items()}
            self.weights[book.name] = _leaves(quantized)
            self.deployed[book.name] = self._gather(quantized).float()
            self.code[book.name] = self._gather({n: book.codes(w) for n, w in originals.items()})
        self._dtype = next(iter(originals.values())).dtype
        self.absmax = torch.cat(
            [block_absmax(originals[name])[index // BLOCK] for name, index in self.index.items()]
        ).float()  # [movable]

    def clamp(self) -> None:
        """Keeps every latent within its block's ±absmax."""
        torch.clamp(self.values, -self.absmax, self.absmax, out=self.values)

    def write(self) -> None:
        """Snaps the latents that changed bins and puts them into every precision."""
        held = [(book, self.code[book.name]) for book in self.codebooks]
        _, moved, values = snap(self.values, self.original, self.absmax, *held)
        self._scatter("fp", torch.where(moved, values, self.original))
        stored = values.to(self._dtype).float()
        for book in self.codebooks:
            # A value is a level of the one codebook; of several it lies somewhere in the bins.
            levels = values
            if len(held) > 1:
                levels = book.level(book.codes_of(stored, self.absmax), self.absmax)
            self._scatter(book.name, torch.where(moved, levels, self.deployed[book.name]))
