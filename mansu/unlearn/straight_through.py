"""Latents that are run as what the target format makes of them, block scales and all."""

from collections.abc import Mapping

import torch

from mansu.quant.codebook import Codebook
from mansu.unlearn.latents import Latents, _leaves
from mansu.unlearn.mask import all_movable


class StraightThroughLatents(Latents):
    """Whole matrices, rounded to the nearest level of the target format at every step.

    The loss is taken in that format alone. The rounding counts as the identity in the backward
    pass: a matrix's gradient is its latents'.

    Args:
        originals: See :class:`Latents`.
        codebook: Of the format.

    Attributes:
        weights: Under the format's name what is run; under ``fp`` the latents, which the checks
            quantize as deployment will.
    """

    def __init__(self, originals: Mapping[str, torch.Tensor], codebook: Codebook) -> None:
        super().__init__(originals, all_movable(originals))
        self._codebook = codebook
        self.precisions = (codebook.name,)
        self.weights[codebook.name] = _leaves(originals)
        self.write()

    def write(self) -> None:
        """Puts the latents into the format and back."""
        parts = zip(self.names, self.values.split(self.sizes), strict=True)
        # A view where that can be: a model's worth less. A swap may empty an accelerator's storage.
        copy = self.values.device.type != "cpu"
        with torch.no_grad():
            for name, part in parts:
                run = self.weights[self._codebook.name][name]
                latent = part.view(run.shape).to(run.dtype, copy=copy)
                self.weights["fp"][name] = latent
                run.copy_(self._codebook.dequantized(latent))
