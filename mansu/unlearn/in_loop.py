"""Training through the quantizer: the default floor [O].

1. A latent starts at its weight's original value and is stepped by the optimizer.
2. It is clamped to its block's ±absmax; the absmax elements themselves never move, so no block's
   scale can change.
3. A weight whose latent has left its original bin takes the level of its new bin, in the FP model
   and in the deployed one alike: a level is a fixed point of the quantizer. Every other weight
   keeps its original value.
4. Gradients pass the snap unchanged (straight-through); the loss is taken in both precisions.
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
        codebook: Of the format that training aims at; its name is the second precision.
    """

    def __init__(
        self, originals: Mapping[str, torch.Tensor], movable: Movable, codebook: Codebook
    ) -> None:
        super().__init__(originals, movable)
        self.codebook = codebook
        self.precisions = ("fp", codebook.name)
        quantized = {name: codebook.dequantized(weight) for name, weight in originals.items()}
        self.weights[codebook.name] = _leaves(quantized)
        self.deployed = self._gather(quantized).float()  # [movable]
        self.code = self._gather(
            {name: codebook.codes(weight) for name, weight in originals.items()}
        )
        self.absmax = torch.cat(
            [block_absmax(originals[name])[index // BLOCK] for name, index in self.index.items()]
        ).float()  # [movable]

    def clamp(self) -> None:
        """Keeps every latent within its block's ±absmax."""
        torch.clamp(self.values, -self.absmax, self.absmax, out=self.values)

    def write(self) -> None:
        """Snaps the latents that changed bins and puts them into both precisions."""
        moved, levels = snap(self.values, self.original, self.code, self.absmax, self.codebook)
        self._scatter("fp", torch.where(moved, levels, self.original))
        self._scatter(self.codebook.name, torch.where(moved, levels, self.deployed))
