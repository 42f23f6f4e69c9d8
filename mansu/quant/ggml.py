"""llama.cpp's own storage types: a weight in one and back, and the formats made of them.

The plain types are gguf's; the K-quants, which gguf only reads, are written by libgguf.
"""

from typing import Any

import numpy as np
import torch
from gguf import GGMLQuantizationType as Kind
from gguf import quants
from torch import Tensor

from mansu.models.language_model import LanguageModel
from mansu.quant.formats.base import Format, Storage, namewise

_K_QUANTS = (Kind.Q4_K, Kind.Q6_K)


def encode(weight: Tensor, kind: Kind) -> np.ndarray:
    """A weight as a GGUF file holds it, row by row."""
    rows = weight.detach().to("cpu", torch.float32).numpy()
    if kind in _K_QUANTS:
        import libgguf  # pyright: ignore

        return libgguf.quantize_rows(rows, kind)
    return quants.quantize(rows, kind)


def decode(stored: np.ndarray, kind: Kind) -> Tensor:
    """The weights that such rows stand for, float32."""
    return torch.from_numpy(quants.dequantize(stored, kind))


def ggml(name: str, title: str, storage: Storage, colour: str, **more: Any) -> Format:
    """A format in which llama.cpp runs a model, and which `mansu export` can write.

    Args:
        name: See :class:`Format`.
        title: See :class:`Format`.
        storage: See :class:`Format`.
        colour: See :class:`Format`.
        more: Further attributes of the :class:`Format`.
    """

    def change(model: LanguageModel, place: str, weight: Tensor) -> Tensor:
        kind = storage(place, weight.shape[-1], model.layers)
        return decode(encode(weight, kind), kind).to(weight)

    more = {"libraries": ("gguf",), **more}
    return namewise(name, title, change, colour, storage=storage, **more)
