"""Latents that are run as what the target format makes of them, block scales and all."""

from collections.abc import Mapping

import torch

from mansu.quant.codebook import Codebook
from mansu.unlearn.latents import Latents, _leaves
from mansu.unlearn.mask import all_movable


class StraightThroughLatents(Latents):
    """Whole matrices, rounded to the nearest level of the target format at every step.

    The loss is taken in that format alone, or in each of several. The rounding counts as the
    identity in the backward pass: a matrix's gradient is its latents'.

    Args:
        originals: See :class:`Latents`.
        codebooks: Of the formats.

    Attributes:
        weights: Under the format's name what is run; under ``fp`` the latents, which the checks
            quantize as deployment will.
    """

    def __init__(self, originals: Mapping[str, torch.Tensor], *codebooks: Codebook) -> None:
        super().__init__(originals, all_movable(originals))
        self._codebooks = codebooks
        self.precisions = tuple(book.name for book in self._codebooks)
        self.weights |= {name: _leaves(originals) for name in self.precisions}
        self.write()

    def write(self) -> None:
        """Puts the latents into each format and back."""
        parts = zip(self.names, self.values.split(self.sizes), strict=True)
        # A view where that can be: a model's worth less. A swap may empty an accelerator's storage.
        copy = self.values.device.type != "cpu"
        with torch.no_grad():
            for name, part in parts:
                was = self.weights[self.precisions[0]][name]
                latent = part.view(was.shape).to(was.dtype, copy=copy)
                self.weights["fp"][name] = latent
                for book in self._codebooks:
                    self.weights[book.name][name].copy_(book.dequantized(latent))
