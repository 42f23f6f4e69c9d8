"""Weight blocks at the numeric edges, as hypothesis strategies."""

import torch
from hypothesis import strategies as st
from torch import Tensor

from mansu.quant.codebook import BLOCK, FP4, NF4, Codebook

BOOKS = (NF4, FP4)
DTYPES = (torch.float32, torch.float16, torch.bfloat16)


def draw_weights(
    data: st.DataObject, dtype: torch.dtype = torch.float32, book: Codebook = NF4
) -> Tensor:
    """Some blocks and a rest, each block of another kind and scale, in one flat tensor."""
    limit = torch.finfo(dtype).max
    kinds = st.sampled_from(["normal", "zeros", "repeated", "levels", "boundaries", "outermost"])
    scales = st.sampled_from([1e-45, 3e-39, 1e-37, 1e-7, 1e-5, 1e-3, 0.02, 1.0, 1e4, 1e38])
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 2**32), label="seed"))
    pieces = []
    for _ in range(data.draw(st.integers(1, 4), label="blocks")):
        kind, scale = data.draw(kinds, label="kind"), data.draw(scales, label="scale")
        x = _block(kind, generator, book)
        pieces.append((x.double() * scale).clamp(-limit, limit).to(dtype))
    rest = data.draw(st.integers(0, 63), label="cut off")
    whole = torch.cat(pieces)
    return whole[: whole.numel() - rest]


def _block(kind: str, generator: torch.Generator, book: Codebook) -> Tensor:
    levels, middles = book.levels(), book.boundaries()
    at = torch.randint(0, book.size - 1, (BLOCK,), generator=generator)
    if kind == "zeros":
        return torch.zeros(BLOCK)
    if kind == "repeated":  # few values, several of them as large as the largest
        return torch.randint(-3, 4, (BLOCK,), generator=generator) / 3
    if kind == "levels":
        return torch.cat((levels[at][1:], levels[-1:]))
    if kind == "boundaries":
        return torch.cat((levels[:1], middles[at][1:]))
    x = torch.randn(BLOCK, generator=generator)
    if kind == "outermost":
        return x.sign() * (0.9 + 0.1 * x.abs().frac())
    return x / 4
