"""4-bit codebooks as bitsandbytes defines them: codes, scales, levels and bins of a weight tensor.

A tensor is cut, flattened, into blocks of 64 weights (formats that only store them may take another
number). A block's scale a is its largest absolute
weight; x = w/a gets the nearest of a few levels, so the boundaries between bins are the midpoints
of neighbouring levels. Which level a weight gets, and what it is worth, always comes from
bitsandbytes; only `codes_of`, which the training loop needs for gathered weights, does the
comparison itself.

A code is a level's place in ascending order. The library numbers FP4's levels by their bits and has
two zeros, +0 and -0; here they are one level, so that another code is always another weight.
"""

from dataclasses import dataclass
from functools import cache

import bitsandbytes.functional as bnb
import torch
from torch import Tensor

from mansu.errors import RunError

BLOCK = 64
# bitsandbytes never divides by less than this: below it a block's levels are not multiples of a.
_LEAST_DIVISOR = 1e-38


@dataclass(frozen=True)
class Quantized:
    """A weight tensor in 4 bits.

    Attributes:
        packed: Two of the library's codes per byte, the earlier weight in the high half,
            ``[ceil(numel / 2)]``.
        absmax: The blocks' scales, float32, ``[blocks]``.
        shape: Shape of the weight.
        dtype: Its dtype before quantization.
        block: Weights a block.
    """

    packed: Tensor
    absmax: Tensor
    shape: torch.Size
    dtype: torch.dtype
    block: int = BLOCK

    @property
    def bytes(self) -> int:
        """Size in memory."""
        return self.packed.nbytes + self.absmax.nbytes


@dataclass(frozen=True)
class Codebook:
    """The levels of one 4-bit type, and what it makes of weights.

    Attributes:
        name: As bitsandbytes calls it: ``nf4`` or ``fp4``.
    """

    name: str

    @property
    def size(self) -> int:
        """Number of levels."""
        return len(self.levels())

    def levels(self, device: torch.device | str = "cpu") -> Tensor:
        """The levels in ascending order, float32, ``[size]``."""
        return _levels(self.name, torch.device(device))

    def boundaries(self, device: torch.device | str = "cpu") -> Tensor:
        """The midpoints between neighbouring levels, ``[size - 1]``; one has the lower code."""
        return _boundaries(self.name, torch.device(device))

    def quantize(self, weight: Tensor, block: int = BLOCK, double: bool = False) -> Quantized:
        """Quantizes a float32, float16 or bfloat16 tensor of any shape.

        Args:
            weight: The tensor.
            block: Weights a block.
            double: Whether the scales are what remains of them in the library's 8 bits.

        Raises:
            RunError: A weight is not finite.
        """
        weight = weight.detach()
        require_finite(weight, "has no 4-bit code")
        packed, state = bnb.quantize_4bit(
            weight, blocksize=block, quant_type=self.name, compress_statistics=double
        )
        scales = state.absmax
        if double:
            scales = bnb.dequantize_blockwise(scales, state.state2) + state.offset  # pyright: ignore
        return Quantized(packed.view(-1), scales.float(), weight.shape, weight.dtype, block)

    def dequantize(self, quantized: Quantized, dtype: torch.dtype | None = None) -> Tensor:
        """The weights that the codes stand for, in the given dtype (default: the original one)."""
        # Read as one flat row: on some processors the library (0.50) takes the wrong scales for a
        # matrix whose rows do not end with a block, and it is slow for rows of odd length.
        state = bnb.QuantState(
            absmax=quantized.absmax,
            shape=torch.Size((1, 2 * quantized.packed.numel())),
            blocksize=quantized.block,
            quant_type=self.name,
            dtype=dtype or quantized.dtype,
        )
        values = bnb.dequantize_4bit(quantized.packed.view(-1, 1), state)
        return values.flatten()[: quantized.shape.numel()].view(quantized.shape)

    def dequantized(self, weight: Tensor, block: int = BLOCK, double: bool = False) -> Tensor:
        """The weight as deployment computes with it: in 4 bits and back, in its own dtype."""
        return self.dequantize(self.quantize(weight, block, double))

    def unpack(self, quantized: Quantized) -> Tensor:
        """The codes one by one, uint8, ``[numel]``."""
        pairs = torch.stack((quantized.packed >> 4, quantized.packed & 15), dim=1)
        given = pairs.flatten()[: quantized.shape.numel()]
        places = _places(self.name, given.device)
        return given if places is None else places.index_select(0, given.int())

    def codes(self, weight: Tensor) -> Tensor:
        """bitsandbytes' code of every weight, uint8, ``[numel]``."""
        return self.unpack(self.quantize(weight))

    def codes_of(self, values: Tensor, absmax: Tensor) -> Tensor:
        """Codes of loose weights whose blocks' scales are known, uint8.

        Equal to `codes` up to weights within a float32 rounding error of a boundary.

        Args:
            values: Weights, ``[n]``.
            absmax: The scale of each weight's block, ``[n]``.
        """
        x = values.float() * (1 / absmax.clamp(min=_LEAST_DIVISOR))
        found = torch.bucketize(x, self.boundaries(values.device), out_int32=True)
        return found.to(torch.uint8)

    def resolves(self, absmax: Tensor, dtype: torch.dtype) -> Tensor:
        """Whether the levels of a block with this scale can be told apart in a dtype, bool."""
        return absmax >= self.smallest_scale(dtype)

    def smallest_scale(self, dtype: torch.dtype) -> float:
        """The smallest scale of a block whose levels can be told apart in a dtype.

        Below the dtype's normal numbers they cannot, nor where the smallest level falls below
        float32's: bitsandbytes' kernels may flush those to zero. FP4's lies closer to zero than
        NF4's, so that its scales have to be larger by as much.
        """
        levels = self.levels().abs()
        closer = max(1.0, 1 / 16 / float(levels[levels > 0].min()))
        return closer * max(torch.finfo(dtype).tiny, 16 * torch.finfo(torch.float32).tiny)

    def level(self, codes: Tensor, absmax: Tensor) -> Tensor:
        """The weight a code stands for, float32: level × scale, shapes broadcast."""
        return self.levels(codes.device).index_select(0, codes.int()) * absmax

    def width(self, codes: Tensor, absmax: Tensor) -> Tensor:
        """Width of the bin of a code, float32: distance between its boundaries × scale.

        The outermost codes have no outer boundary; there the bin ends at ∓a, beyond which no
        weight of the block lies.
        """
        return _widths(self.name, codes.device).index_select(0, codes.int()) * absmax

    def bin_widths(self, weight: Tensor) -> Tensor:
        """Width of the bin each weight lies in (see `width`), float32, in the weight's shape."""
        absmax = per_weight(block_absmax(weight), weight.numel())
        return self.width(self.codes(weight), absmax).view(weight.shape)

    def per_tensor_bin_width(self, weight: Tensor) -> float:
        """One width for a whole tensor: the narrowest bin at the tensor's own absmax.

        For comparison only. [P, App. B.3 names a per-tensor approximation; R, its formula]
        """
        narrowest = _widths(self.name, weight.device).min()
        return float(narrowest * weight.detach().abs().max().float())


NF4 = Codebook("nf4")
FP4 = Codebook("fp4")


def require_finite(weight: Tensor, otherwise: str) -> None:
    """Refuses a weight that overflowed.

    Args:
        weight: The weight.
        otherwise: What is wrong with one that did.

    Raises:
        RunError: An element is not finite.
    """
    if not torch.stack(torch.aminmax(weight)).isfinite().all():
        raise RunError(
            f"A weight is not finite, so it {otherwise}: the model overflows its dtype "
            "(choose float32), or the update diverged (lower the learning rate)."
        )


def block_absmax(weight: Tensor) -> Tensor:
    """Largest absolute weight of each block, float32, ``[blocks]``; 0 for a block of zeros."""
    flat = weight.detach().reshape(-1)
    whole = flat.numel() // BLOCK * BLOCK
    scales = flat[:whole].view(-1, BLOCK).abs().amax(dim=1)
    if whole < flat.numel():
        scales = torch.cat((scales, flat[whole:].abs().amax().view(1)))
    return scales.float()


def per_weight(absmax: Tensor, numel: int) -> Tensor:
    """Repeats the block scales so that each weight has its own, ``[numel]``."""
    return absmax.repeat_interleave(BLOCK)[:numel]


@cache
def _given(name: str, device: torch.device) -> Tensor:
    """The library's levels in its own order, float32, ``[16]``."""
    with torch.inference_mode(False):  # cached, so it must also serve where gradients are taken
        return bnb.get_4bit_type(name, device=device)


@cache
def _levels(name: str, device: torch.device) -> Tensor:
    return _given(name, device).unique()  # ascending; -0 equals 0


@cache
def _places(name: str, device: torch.device) -> Tensor | None:
    """Where the library's codes lie in ascending order, uint8; None where they are ascending."""
    places = torch.searchsorted(_levels(name, device), _given(name, device)).to(torch.uint8)
    own = torch.arange(len(places), dtype=torch.uint8, device=device)
    return None if torch.equal(places, own) else places


@cache
def _boundaries(name: str, device: torch.device) -> Tensor:
    levels = _levels(name, device)
    return (levels[:-1] + levels[1:]) / 2


@cache
def _widths(name: str, device: torch.device) -> Tensor:
    levels = _levels(name, device)
    return torch.cat((levels[:1], _boundaries(name, device), levels[-1:])).diff()  # [levels]
