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
        """Puts the latents into the matrices, and these into the format and back."""
        super().write()
        with torch.no_grad():
            for name, run in self.weights[self._codebook.name].items():
                run.copy_(self._codebook.dequantized(self.weights["fp"][name]))
