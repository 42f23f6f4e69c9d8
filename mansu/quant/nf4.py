"""NF4 as bitsandbytes defines it: codes, block scales, levels and bins of a weight tensor.

A tensor is cut, flattened, into blocks of 64 weights. A block's scale a is its largest absolute
weight; x = w/a gets the code of the nearest of 16 levels, so the boundaries between bins are the
midpoints of neighbouring levels. Codes and level values always come from bitsandbytes; only
`codes_of`, which the training loop needs for gathered weights, does the comparison itself.
"""

from dataclasses import dataclass
from functools import cache

import bitsandbytes.functional as bnb
import torch
from torch import Tensor

from mansu.errors import RunError

BLOCK = 64
LEVELS = 16
# bitsandbytes never divides by less than this: below it a block's levels are not multiples of a.
SMALLEST_SCALE = 1e-38


@dataclass(frozen=True)
class Quantized:
    """A weight tensor in NF4.

    Attributes:
        packed: Two codes per byte, the earlier weight in the high half, ``[ceil(numel / 2)]``.
        absmax: The blocks' scales, float32, ``[blocks]``.
        shape: Shape of the weight.
        dtype: Its dtype before quantization.
    """

    packed: Tensor
    absmax: Tensor
    shape: torch.Size
    dtype: torch.dtype

    @property
    def bytes(self) -> int:
        """Size in memory."""
        return self.packed.nbytes + self.absmax.nbytes


@cache
def codebook(device: torch.device | str = "cpu") -> Tensor:
    """The 16 NF4 levels in ascending order, float32, ``[16]``, read from bitsandbytes."""
    with torch.inference_mode(False):  # cached, so it must also serve where gradients are taken
        return bnb.get_4bit_type("nf4", device=torch.device(device))


@cache
def boundaries(device: torch.device | str = "cpu") -> Tensor:
    """The 15 midpoints between neighbouring levels, ``[15]``; a midpoint has the lower code."""
    levels = codebook(device)
    return (levels[:-1] + levels[1:]) / 2


@cache
def _widths(device: torch.device) -> Tensor:
    ends = codebook(device)[[0, -1]]
    return torch.cat((ends[:1], boundaries(device), ends[1:])).diff()  # [16]


def quantize(weight: Tensor) -> Quantized:
    """Quantizes a float32, float16 or bfloat16 tensor of any shape.

    Raises:
        RunError: A weight is not finite.
    """
    weight = weight.detach()
    if not torch.stack(torch.aminmax(weight)).isfinite().all():
        raise RunError(
            "A weight is not finite, so it has no 4-bit code: the model overflows its dtype "
            "(choose float32), or the update diverged (lower the learning rate)."
        )
    packed, state = bnb.quantize_4bit(weight, blocksize=BLOCK, quant_type="nf4")
    return Quantized(packed.view(-1), state.absmax, weight.shape, weight.dtype)


def dequantize(quantized: Quantized, dtype: torch.dtype | None = None) -> Tensor:
    """The weights that the codes stand for, in the given dtype (default: the original one)."""
    # Read as one flat row: on some processors the library (0.50) takes the wrong scales for a
    # matrix whose rows do not end with a block, and it is slow for rows of odd length.
    state = bnb.QuantState(
        absmax=quantized.absmax,
        shape=torch.Size((1, 2 * quantized.packed.numel())),
        blocksize=BLOCK,
        quant_type="nf4",
        dtype=dtype or quantized.dtype,
    )
    values = bnb.dequantize_4bit(quantized.packed.view(-1, 1), state)
    return values.flatten()[: quantized.shape.numel()].view(quantized.shape)


def dequantized(weight: Tensor) -> Tensor:
    """The weight as deployment computes with it: in NF4 and back, in its own dtype."""
    return dequantize(quantize(weight))


def unpack(quantized: Quantized) -> Tensor:
    """The codes one by one, uint8, ``[numel]``."""
    pairs = torch.stack((quantized.packed >> 4, quantized.packed & 15), dim=1)
    return pairs.flatten()[: quantized.shape.numel()]


def codes(weight: Tensor) -> Tensor:
    """bitsandbytes' code of every weight, uint8, ``[numel]``."""
    return unpack(quantize(weight))


def codes_of(values: Tensor, absmax: Tensor) -> Tensor:
    """Codes of loose weights whose blocks' scales are known, uint8.

    Equal to `codes` up to weights within a float32 rounding error of a boundary.

    Args:
        values: Weights, ``[n]``.
        absmax: The scale of each weight's block, ``[n]``.
    """
    x = values.float() * (1 / absmax.clamp(min=SMALLEST_SCALE))
    return torch.bucketize(x, boundaries(values.device), out_int32=True).to(torch.uint8)


def block_absmax(weight: Tensor) -> Tensor:
    """Largest absolute weight of each block, float32, ``[blocks]``; 0 for a block of zeros."""
    flat = weight.detach().reshape(-1)
    whole = flat.numel() // BLOCK * BLOCK
    scales = flat[:whole].view(-1, BLOCK).abs().amax(dim=1)
    if whole < flat.numel():
        scales = torch.cat((scales, flat[whole:].abs().amax().view(1)))
    return scales.float()


def resolves(absmax: Tensor, dtype: torch.dtype) -> Tensor:
    """Whether the levels of a block with this scale can be told apart in a dtype, bool.

    False below the dtype's normal numbers, and where the smallest level falls below float32's:
    bitsandbytes' kernels may flush those to zero.
    """
    smallest = max(torch.finfo(dtype).tiny, LEVELS * torch.finfo(torch.float32).tiny)
    return absmax >= smallest


def per_weight(absmax: Tensor, numel: int) -> Tensor:
    """Repeats the block scales so that each weight has its own, ``[numel]``."""
    return absmax.repeat_interleave(BLOCK)[:numel]


def level(codes: Tensor, absmax: Tensor) -> Tensor:
    """The weight a code stands for, float32: level × scale, shapes broadcast."""
    return codebook(codes.device).index_select(0, codes.int()) * absmax


def width(codes: Tensor, absmax: Tensor) -> Tensor:
    """Width of the bin of a code, float32: distance between its boundaries × scale.

    Codes 0 and 15 have no outer boundary; there the bin ends at ∓a, beyond which no weight of the
    block lies.
    """
    return _widths(codes.device).index_select(0, codes.int()) * absmax


def bin_widths(weight: Tensor) -> Tensor:
    """Width of the bin each weight lies in (see `width`), float32, in the weight's shape."""
    absmax = per_weight(block_absmax(weight), weight.numel())
    return width(codes(weight), absmax).view(weight.shape)


def per_tensor_bin_width(weight: Tensor) -> float:
    """One width for a whole tensor: the narrowest bin at the tensor's own absmax.

    For comparison only. [P, App. B.3 names a per-tensor approximation; R, its formula]
    """
    return float(_widths(weight.device).min() * weight.detach().abs().max().float())
