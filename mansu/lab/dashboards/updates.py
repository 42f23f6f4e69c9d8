"""The trained update, kept so that another floor can be applied to it within a moment.

Floor and quantizer work block by block, so only blocks that hold an update are kept.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor

from mansu.models.names import layer_of
from mansu.quant.codebook import BLOCK, Codebook
from mansu.quant.permanence import Account, account, to_frame
from mansu.theory.retain_loss import norm
from mansu.unlearn.floor import FloorKind, apply_floor


@dataclass(frozen=True)
class Refloored:
    """What a floor makes of the update.

    Attributes:
        accounts: Permanence accounting, one line a matrix, the total last (``to_frame``).
        dropped: Updates below the threshold, put back to the original weight.
        excluded: Updates that had no boundary to cross.
        pinned: Updates reset because the weight sets its block's scale.
        length: ‖Δ‖ of what is left.
    """

    accounts: pd.DataFrame
    dropped: int
    excluded: int
    pinned: int
    length: float


@dataclass(frozen=True)
class _Matrix:
    before: Tensor  # [blocks that hold an update, weights of a block]
    after: Tensor  # the same, trained
    ratio: Tensor  # |Δ| / width of the original's bin; 0 where the bin has no width
    size: int
    blocks: int


class Updates:
    """The updates of a training result, by weight matrix.

    Attributes:
        layers: Layers of the circuit, in rising order.
    """

    def __init__(
        self,
        originals: Mapping[str, Tensor],
        trained: Mapping[str, Tensor],
        *codebooks: Codebook,
    ) -> None:
        """Keeps the blocks with an update.

        Args:
            originals: The trained matrices before unlearning, by state-dict name.
            trained: The same matrices after training.
            codebooks: In which a floored update has to survive; they are judged by the first one's
                bins.
        """
        self._codebooks = codebooks
        self._matrices = {
            name: _compact(w, trained[name], codebooks[0]) for name, w in originals.items()
        }
        self._known: dict[tuple[str, float, int | None], Refloored] = {}
        self.layers = sorted({layer_of(name) for name in originals})

    def refloor(
        self, kind: FloorKind | None, least: float = 0.0, layer: int | None = None
    ) -> Refloored:
        """Applies a floor and accounts for the result; a result is computed once.

        Args:
            kind: Which form; None takes the update as trained.
            least: Updates of smaller |Δ|, in widths of the original's bin, are put back first.
            layer: The only layer to account for; None takes the circuit.
        """
        key = (kind or "none", least, layer)
        if key not in self._known:
            self._known[key] = self._refloor(kind, least, layer)
        return self._known[key]

    def _refloor(self, kind: FloorKind | None, least: float, layer: int | None) -> Refloored:
        chosen = {
            name: matrix
            for name, matrix in self._matrices.items()
            if layer is None or layer_of(name) == layer
        }
        after, dropped, excluded, pinned = {}, 0, 0, 0
        for name, matrix in chosen.items():
            after[name] = matrix.after
            if least:
                low = (matrix.after != matrix.before) & (matrix.ratio < least)
                after[name] = torch.where(low, matrix.before, matrix.after)
                dropped += int(low.sum())
            if kind is not None:
                floored = apply_floor(kind, matrix.before, after[name], *self._codebooks)
                after[name] = floored.weight
                excluded, pinned = excluded + floored.excluded, pinned + floored.pinned
        before = {name: matrix.before for name, matrix in chosen.items()}
        found = account(before, after, self._codebooks[0])
        length = norm({name: after[name] - matrix.before for name, matrix in chosen.items()})
        return Refloored(to_frame(_whole(found, chosen)), dropped, excluded, pinned, length)


def _compact(before: Tensor, after: Tensor, codebook: Codebook) -> _Matrix:
    size, blocks = before.numel(), -(-before.numel() // BLOCK)
    old, new = before.reshape(1, -1), after.reshape(1, -1)
    if size % BLOCK == 0:  # else the last block is cut short, and all are kept
        old, new = old.view(-1, BLOCK), new.view(-1, BLOCK)
        touched = (old != new).any(1)
        touched[0] = True  # so that a matrix without any update is not empty
        old, new = old[touched], new[touched]
    width = codebook.bin_widths(old)
    delta = (new.float() - old.float()).abs()
    return _Matrix(old, new, torch.where(width > 0, delta / width, 0.0), size, blocks)


def _whole(found: Account, chosen: Mapping[str, _Matrix]) -> Account:
    """The account with the untouched blocks counted: nothing happened in them."""
    entries = tuple(
        dataclasses.replace(entry, size=chosen[entry.name].size, blocks=chosen[entry.name].blocks)
        for entry in found.matrices
    )
    sizes = {"size": sum(e.size for e in entries), "blocks": sum(e.blocks for e in entries)}
    return Account(entries, dataclasses.replace(found.total, **sizes))
