"""The account of what quantization keeps of an update, matrix by matrix.

Definitions: survival is the share of changed weights (Δ ≠ 0) whose code changed [R];
collateral counts weights with Δ = 0 whose code changed all the same because their block's scale
moved [O]; the update-to-bin ratio is |Δ| over the width of the bin the original lies in [R].
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mansu.errors import InputError
from mansu.models.names import find_layer, projection_of
from mansu.quant.codebook import BLOCK, Codebook

# Decades of |Δ| / bin in the stored histogram, four bins each; the end bins take what is beyond.
RATIO_EDGES = np.linspace(-8, 2, 41)  # log10
# Ratios are collected by the upper 20 of their 31 value bits: a fixed 4 MB for any number of them.
_DROPPED_BITS = 11
_CELLS = 1 << (31 - _DROPPED_BITS)


@dataclass(frozen=True)
class MatrixAccount:
    """What happened to one weight matrix, or to several together.

    Attributes:
        name: State-dict name, or ``total``.
        layer: Decoder block, where the name tells.
        projection: ``gate_proj`` and so on, where the name tells.
        size: Number of weights.
        changed: Weights with Δ ≠ 0.
        survived: Changed weights whose code changed.
        collateral: Unchanged weights whose code changed.
        outermost: Changed weights of an outermost code moved outward, where no boundary lies.
        blocks: Number of blocks.
        moved_blocks: Blocks whose scale changed.
        crossings: How many changed weights crossed 0, 1, … all boundaries.
        ratio_histogram: Changed weights by log10 of |Δ| / bin, on `RATIO_EDGES`.
        ratio_mean: Mean of |Δ| / bin over changed weights; None if nothing changed.
        ratio_p05: Its 5th percentile (this and the next two within 0.03 % of the exact one).
        ratio_median: Its median.
        ratio_p95: Its 95th percentile.
    """

    name: str
    layer: int | None
    projection: str | None
    size: int
    changed: int
    survived: int
    collateral: int
    outermost: int
    blocks: int
    moved_blocks: int
    crossings: tuple[int, ...]
    ratio_histogram: tuple[int, ...]
    ratio_mean: float | None
    ratio_p05: float | None
    ratio_median: float | None
    ratio_p95: float | None

    @property
    def survival(self) -> float | None:
        """Share of the changed weights whose code changed; None if nothing changed."""
        return self.survived / self.changed if self.changed else None

    @property
    def changed_fraction(self) -> float:
        """Share of the weights that changed."""
        return self.changed / self.size


@dataclass(frozen=True)
class Account:
    """The account of an update: one entry a matrix, and their total."""

    matrices: tuple[MatrixAccount, ...]
    total: MatrixAccount


class _Ratios:
    """A distribution of non-negative ratios in fixed memory, exact to 2⁻¹³ of each value."""

    def __init__(self, counts: np.ndarray | None = None, total: float = 0.0):
        self.counts = np.zeros(_CELLS, dtype=np.int64) if counts is None else counts
        self.total = total

    @classmethod
    def of(cls, values: Tensor) -> "_Ratios":
        # The bit pattern of a non-negative float grows with its value, so cells are ordered.
        cells = values.float().view(torch.int32) >> _DROPPED_BITS
        counts = torch.bincount(cells.long(), minlength=_CELLS).cpu().numpy()
        return cls(counts, float(values.double().sum()))

    def __iadd__(self, other: "_Ratios") -> "_Ratios":
        self.counts += other.counts
        self.total += other.total
        return self

    def summary(self) -> tuple[tuple[int, ...], float | None, list[float | None]]:
        """Histogram on `RATIO_EDGES`, mean, and the 5th, 50th and 95th percentile."""
        used = np.flatnonzero(self.counts)
        middle = ((used << _DROPPED_BITS) + (1 << _DROPPED_BITS) // 2).astype(np.int32)
        values, weights = middle.view(np.float32).astype(np.float64), self.counts[used]
        logs = np.log10(values).clip(RATIO_EDGES[0], RATIO_EDGES[-1])
        histogram = tuple(np.histogram(logs, RATIO_EDGES, weights=weights)[0].astype(int).tolist())
        count = int(weights.sum())
        if not count:
            return histogram, None, [None] * 3
        ranks = np.array([0.05, 0.5, 0.95]) * (count - 1)
        at = np.searchsorted(np.cumsum(weights), np.floor(ranks), side="right")
        return histogram, self.total / count, values[at].tolist()


def account(
    original: Mapping[str, Tensor], updated: Mapping[str, Tensor], codebook: Codebook
) -> Account:
    """Compares the weights before and after, both in the dtype in which they are stored.

    Args:
        original: Weights before unlearning, by state-dict name.
        updated: Weights after it; exactly these names are accounted.
        codebook: Whose codes they have.

    Raises:
        InputError: A name is missing, or shape or dtype differ between the two.
    """
    if not updated:
        raise InputError("There is no weight to account for.")
    entries, everything = [], _Ratios()
    for name, after in updated.items():
        if name not in original:
            raise InputError(f"The original weights lack '{name}'.")
        before = original[name]
        if before.shape != after.shape or before.dtype != after.dtype:
            raise InputError(
                f"'{name}' is {tuple(before.shape)} {before.dtype} before and "
                f"{tuple(after.shape)} {after.dtype} after; bring both to the stored form first."
            )
        entry, ratios = _account_one(name, before.detach(), after.detach(), codebook)
        entries.append(entry)
        everything += ratios
    return Account(tuple(entries), _total(entries, everything))


def to_frame(account: Account) -> pd.DataFrame:
    """One row a matrix, the total last; histograms are lists in their cells."""
    rows = [
        {field.name: getattr(entry, field.name) for field in fields(entry)}
        | {"survival": entry.survival, "changed_fraction": entry.changed_fraction}
        for entry in (*account.matrices, account.total)
    ]
    frame = pd.DataFrame(rows)
    optional = ["survival", *(name for name in frame if str(name).startswith("ratio_"))]
    optional.remove("ratio_histogram")
    return frame.astype({"layer": "Int64"} | dict.fromkeys(optional, "Float64"))


def _account_one(
    name: str, before: Tensor, after: Tensor, codebook: Codebook
) -> tuple[MatrixAccount, _Ratios]:
    old, new = codebook.quantize(before), codebook.quantize(after)
    old_codes, new_codes = codebook.unpack(old), codebook.unpack(new)
    before, after = before.reshape(-1), after.reshape(-1)
    changed, recoded = before != after, old_codes != new_codes
    outward = ((old_codes == 0) & (after < before)) | (
        (old_codes == codebook.size - 1) & (after > before)
    )

    index = changed.nonzero().squeeze(1)
    delta = (after[index].float() - before[index].float()).abs()
    width = codebook.width(old_codes[index], old.absmax[index // BLOCK])
    # A block of zeros has no bins, so a change in it has no ratio.
    ratios = _Ratios.of((delta / width)[width > 0])
    crossed = (new_codes[index].int() - old_codes[index].int()).abs()

    histogram, mean, (p05, median, p95) = ratios.summary()
    entry = MatrixAccount(
        name=name,
        layer=find_layer(name),
        projection=projection_of(name),
        size=before.numel(),
        changed=index.numel(),
        survived=int((changed & recoded).sum()),
        collateral=int((~changed & recoded).sum()),
        outermost=int(outward.sum()),
        blocks=old.absmax.numel(),
        moved_blocks=int((old.absmax != new.absmax).sum()),
        crossings=tuple(torch.bincount(crossed, minlength=codebook.size).tolist()),
        ratio_histogram=histogram,
        ratio_mean=mean,
        ratio_p05=p05,
        ratio_median=median,
        ratio_p95=p95,
    )
    return entry, ratios


def _total(entries: list[MatrixAccount], ratios: _Ratios) -> MatrixAccount:
    histogram, mean, (p05, median, p95) = ratios.summary()
    return MatrixAccount(
        name="total",
        layer=None,
        projection=None,
        size=sum(entry.size for entry in entries),
        changed=sum(entry.changed for entry in entries),
        survived=sum(entry.survived for entry in entries),
        collateral=sum(entry.collateral for entry in entries),
        outermost=sum(entry.outermost for entry in entries),
        blocks=sum(entry.blocks for entry in entries),
        moved_blocks=sum(entry.moved_blocks for entry in entries),
        crossings=tuple(np.sum([entry.crossings for entry in entries], axis=0).tolist()),
        ratio_histogram=histogram,
        ratio_mean=mean,
        ratio_p05=p05,
        ratio_median=median,
        ratio_p95=p95,
    )
