"""Phase 3: lift an update over a codebook's bins so that quantization cannot undo it.

Three forms:

1. `paper` [P]: Δ ← sign(Δ)·max(|Δ|, bin width). The block scale may move and an update of an
   outermost code may have no boundary to cross, so survival is high but not guaranteed.
2. `boundary` [O]: Δ ← at least the smallest change in the same direction that crosses the next
   boundary and lands a stated margin beyond it. The block's largest weights are pinned and
   everything stays within ±a, so the scale cannot move and every remaining update survives.
3. `in_loop` [O]: a weight whose code changed takes its new level, every other weight its
   original value. level·a is a fixed point of the quantizer.

With several codebooks an update has to survive in every one of them [O]. All share the blocks and
their scales, so what crosses a weight's boundary in each codebook survives in each:

1. `paper` takes the widest of the bins;
2. `boundary` lands beyond the furthest of the boundaries;
3. `in_loop` takes the first codebook's new level, or the nearest value beyond it, in the update's
   direction, that leaves the weight's bin in every other codebook by the margin of `boundary`.

An update of a code that is outermost in any of them, outward, is one that cannot cross.

The guarantees of 2 and 3 hold in the dtype in which the weights are stored, which is why that
dtype is an argument: the original is rounded to it first, and codes are those of the result.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from mansu.errors import InputError, RunError
from mansu.quant.codebook import Codebook, block_absmax, per_weight

FloorKind = Literal["paper", "boundary", "in_loop"]
BinScale = Literal["block", "tensor"]

# How far beyond the boundary an update lands, as a share of the way to the next level.
MARGIN = 0.1
# Weights worked on at a time: temporaries stay in cache and memory does not grow with the matrix.
CHUNK = 1 << 20


@dataclass(frozen=True)
class Floored:
    """A matrix after the floor.

    Attributes:
        weight: The result, in the stored dtype.
        excluded: Updates of an outermost code outward. They cannot cross: `boundary` resets them,
            `paper` leaves them as trained. `in_loop` resets those that the first codebook alone
            would have moved.
        pinned: Updates reset because the weight sets its block's scale. 0 for `paper`.
    """

    weight: Tensor
    excluded: int
    pinned: int


def apply_floor(
    kind: FloorKind,
    original: Tensor,
    updated: Tensor,
    *codebooks: Codebook,
    dtype: torch.dtype | None = None,
) -> Floored:
    """Applies one form of the floor with its defaults.

    Args:
        kind: Which form.
        original: The matrix before unlearning.
        updated: The matrix after training; the latent weights for ``in_loop``.
        codebooks: In which every update has to survive, one at least.
        dtype: The dtype in which the result will be stored; default the original's.
    """
    forms = {"paper": paper, "boundary": boundary, "in_loop": in_loop}
    if kind not in forms:
        raise InputError(f"Floor '{kind}' is unknown; choose one of {', '.join(forms)}.")
    return forms[kind](original, updated, *codebooks, dtype=dtype)


def movable(weight: Tensor, *codebooks: Codebook) -> Tensor:
    """Which weights may change without moving their block's scale, bool, in the weight's shape.

    Not those as large as the block's largest (all of them, where several are equally large), and
    none of a block whose scale is too small for its levels to be told apart in the dtype.
    """
    flat = weight.reshape(-1)
    absmax = per_weight(block_absmax(weight), flat.numel())
    return _movable(flat.float(), absmax, codebooks, weight.dtype).view(weight.shape)


def _movable(
    values: Tensor, absmax: Tensor, codebooks: Sequence[Codebook], dtype: torch.dtype
) -> Tensor:
    least = max(codebook.smallest_scale(dtype) for codebook in codebooks)
    return (values.abs() < absmax) & (absmax >= least)


def paper(
    original: Tensor,
    updated: Tensor,
    *codebooks: Codebook,
    dtype: torch.dtype | None = None,
    scale: BinScale = "block",
) -> Floored:
    """The published floor. [P; per-tensor bins are its own approximation, for comparison]"""
    result, pieces = _pieces(original, updated, dtype)
    excluded = 0
    whole = [book.per_tensor_bin_width(original) for book in codebooks]
    for start, base, before, after in pieces:
        absmax = per_weight(block_absmax(base), base.numel())
        delta = after - before
        width, outward = torch.zeros_like(delta), torch.zeros_like(delta, dtype=torch.bool)
        for book, everywhere in zip(codebooks, whole, strict=True):
            codes = book.codes(base)
            own = book.width(codes, absmax) if scale == "block" else everywhere
            width = width.clamp(min=own)
            outward |= _outward(book, codes, delta > 0, delta < 0)
        floored = torch.where(outward, delta, delta.sign() * delta.abs().clamp(min=width))
        excluded += int(outward.sum())
        value = (base.float() + floored).to(base.dtype)
        result[start : start + base.numel()] = torch.where(delta == 0, base, value)
    return Floored(result.view(original.shape), excluded, pinned=0)


def boundary(
    original: Tensor,
    updated: Tensor,
    *codebooks: Codebook,
    dtype: torch.dtype | None = None,
    margin: float = MARGIN,
) -> Floored:
    """The exact floor. [O]

    Args:
        original: The matrix before unlearning.
        updated: The matrix after training, same shape.
        codebooks: Whose boundaries are crossed.
        dtype: The stored dtype; default the original's.
        margin: Where to land: 0 is the boundary, 1 the next level.

    Raises:
        InputError: The margin is smaller than the dtype's rounding error, or above 1.
    """
    result, pieces = _pieces(original, updated, dtype)
    smallest = max(smallest_margin(result.dtype, book) for book in codebooks)
    if not smallest <= margin <= 1:
        raise InputError(
            f"Margin {margin} does not survive storage as {result.dtype}; "
            f"choose one between {smallest:.2g} and 1."
        )
    excluded = pinned = 0
    for start, base, before, after in pieces:
        absmax = per_weight(block_absmax(base), base.numel())
        up, down = after > before, after < before
        value, outward = after, torch.zeros_like(up)
        for book in codebooks:
            codes = book.codes(base)
            landing = _landing(margin, book, codes, up) * absmax
            value = torch.where(up, landing.maximum(value), landing.minimum(value))
            outward |= _outward(book, codes, up, down)
        value = value.clamp_(-absmax, absmax).to(base.dtype)
        fixed = ~_movable(base.float(), absmax, codebooks, base.dtype) & (up | down)
        outward &= ~fixed
        moves = (up | down) & ~fixed & ~outward
        pinned += int(fixed.sum())
        excluded += int(outward.sum())
        result[start : start + base.numel()] = torch.where(moves, value, base)
    return Floored(result.view(original.shape), excluded, pinned)


def in_loop(
    original: Tensor,
    latent: Tensor,
    *codebooks: Codebook,
    dtype: torch.dtype | None = None,
) -> Floored:
    """The snap that ends training through the quantizer. [O]"""
    result, pieces = _pieces(original, latent, dtype)
    excluded = pinned = 0
    for start, base, before, after in pieces:
        absmax = per_weight(block_absmax(base), base.numel())
        held = [(book, book.codes(base)) for book in codebooks]
        snapped = snap(after, base, absmax, *held)
        value = torch.where(snapped.moved, snapped.values.to(base.dtype), base)
        movable = _movable(base.float(), absmax, codebooks, base.dtype)
        fixed = ~movable | (after == before)
        pinned += int((fixed & (after != before)).sum())
        excluded += int((snapped.wanted & ~snapped.moved & ~fixed).sum())
        result[start : start + base.numel()] = torch.where(fixed, base, value)
    return Floored(result.view(original.shape), excluded, pinned)


class Snapped(NamedTuple):
    """What becomes of latents, ``[m]`` each.

    Attributes:
        wanted: Which would move by the first codebook alone.
        moved: Which move.
        values: What those take, float32.
    """

    wanted: Tensor
    moved: Tensor
    values: Tensor


def snap(
    latent: Tensor,
    original: Tensor,
    absmax: Tensor,
    first: tuple[Codebook, Tensor],
    *others: tuple[Codebook, Tensor],
) -> Snapped:
    """Which movable weights move, and the values they would take.

    The one rule of `in_loop`, for training and for the floor: a weight whose code changed takes its
    new level, every other weight keeps its value. Latents beyond their block's scale count as
    clamped to it. Further codebooks push the value on until the weight has left its bin in each.

    Args:
        latent: Latent weights, ``[m]``.
        original: The same weights before unlearning, ``[m]``.
        absmax: Scales of their blocks, ``[m]``.
        first: The codebook whose levels are taken, with the originals' codes in it from the
            library, uint8, ``[m]``.
        others: Further codebooks, each with the originals' codes in it.
    """
    codebook, codes = first
    new = codebook.codes_of(latent, absmax)
    # An untouched weight on a boundary stays, even if the library rounded it the other way.
    wanted = (new != codes) & (latent != original)
    moved, value, up = wanted, codebook.level(new, absmax), new > codes
    for book, held in others:
        landing = _landing(MARGIN, book, held, up) * absmax
        value = torch.where(up, landing.maximum(value), landing.minimum(value))
        moved = moved & ~_outward(book, held, up, ~up)
    return Snapped(wanted, moved, value)


def smallest_margin(dtype: torch.dtype, codebook: Codebook) -> float:
    """The smallest margin that rounding to a dtype cannot eat, at any boundary."""
    # Half a unit in the last place for storing, a few float32 ones for computing x = w·(1/a).
    error = 0.5 * torch.finfo(dtype).eps + 4 * torch.finfo(torch.float32).eps
    levels = codebook.levels()
    # Rounding errs by a share of the weight, or of the smallest normal number where that is larger.
    normal = torch.finfo(dtype).tiny / codebook.smallest_scale(dtype)
    larger = levels.abs()[:-1].maximum(levels.abs()[1:]).clamp(min=normal)
    return error * float((larger / (levels.diff() / 2)).max())


@cache
def _landings(margin: float, codebook: Codebook, device: torch.device) -> Tensor:
    """Where an update lands, in units of the scale: all codes downward, then upward, [2 size]."""
    levels, middles = codebook.levels(device), codebook.boundaries(device)
    downward = middles.lerp(levels[:-1], margin)  # crossing from code c + 1 into c
    upward = middles.lerp(levels[1:], margin)  # crossing from code c into c + 1
    return torch.cat((levels[:1], downward, upward, levels[-1:]))


def _landing(margin: float, codebook: Codebook, codes: Tensor, up: Tensor) -> Tensor:
    """Where an update of each code lands, in units of the scale."""
    case = codes + codebook.size * up.to(torch.uint8)  # the row of the landing table
    return _landings(margin, codebook, codes.device).index_select(0, case.int())


def _outward(codebook: Codebook, codes: Tensor, up: Tensor, down: Tensor) -> Tensor:
    return ((codes == codebook.size - 1) & up) | ((codes == 0) & down)


def _pieces(
    original: Tensor, updated: Tensor, dtype: torch.dtype | None
) -> tuple[Tensor, Iterator[tuple[int, Tensor, Tensor, Tensor]]]:
    """An empty flat result and, chunk by chunk: offset, stored original, original, updated."""
    if original.shape != updated.shape:
        raise InputError(
            f"The update has shape {tuple(updated.shape)}, the weight {tuple(original.shape)}."
        )
    if not torch.stack(torch.aminmax(updated.detach())).isfinite().all():
        raise RunError("The trained weights are not finite, so no floor applies to them.")
    before, after = original.detach().reshape(-1), updated.detach().reshape(-1)
    result = torch.empty_like(before, dtype=dtype or original.dtype)

    def pieces() -> Iterator[tuple[int, Tensor, Tensor, Tensor]]:
        for start in range(0, before.numel(), CHUNK):
            piece = before[start : start + CHUNK]
            yield start, piece.to(result.dtype), piece.float(), after[start : start + CHUNK].float()

    return result, pieces()
