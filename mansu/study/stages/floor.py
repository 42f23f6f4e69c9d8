"""Phase 3: applies the floor to the trained result and stores the unlearned checkpoint.

Needs no training: changing the floor re-floors the stored latents. A checkpoint is stored as the
changed weights only.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

from mansu.errors import InputError
from mansu.models import LanguageModel
from mansu.models.swap import swapped
from mansu.quant import binned
from mansu.quant.permanence import Account, account, to_frame
from mansu.study.cache.codec import unpack
from mansu.study.cache.records import read_result
from mansu.study.cache.stage import stage
from mansu.study.run import Run
from mansu.study.stages.fisher import trainable_weights
from mansu.study.stages.train import train
from mansu.unlearn.floor import apply_floor


@dataclass(frozen=True)
class Unlearned:
    """The unlearned checkpoint θ, as what differs from θ₀.

    Attributes:
        index: Flat indices of the changed weights, by weight name.
        values: Their new values, by weight name.
        by_format: Permanence accounting, matrix by matrix, of what a deployment quantizes, in every
            format that training aimed at, by name.
        excluded: Updates that could not cross a boundary and were reset.
        pinned: Updates reset because the weight sets its block's scale.
        model: Fingerprint of the original model.
    """

    index: dict[str, torch.Tensor]
    values: dict[str, torch.Tensor]
    by_format: dict[str, Account]
    excluded: int
    pinned: int
    model: str

    @property
    def account(self) -> Account:
        """The account in the first of them."""
        return next(iter(self.by_format.values()))

    @property
    def accounts(self) -> pd.DataFrame:
        """That account as a table, one line a matrix, the total last."""
        return to_frame(self.account)

    def matrices(self, originals: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The unlearned matrices by name."""
        result = {name: weight.clone() for name, weight in originals.items()}
        for name, index in self.index.items():
            flat = result[name].view(-1)
            flat[index.to(flat.device)] = self.values[name].to(flat.device)
        return result


@stage("delta", "run", fields=["floor", "target"], after=[train])
def floor(run: Run) -> Unlearned:
    """Floors the trained weights and accounts for every bin, or reads the stored checkpoint."""
    originals = trainable_weights(run)
    updated = train(run).matrices(originals)
    excluded = pinned = 0
    if run.config.floor != "none":
        for name, weight in originals.items():
            floored = apply_floor(run.config.floor, weight, updated[name], *run.codebooks)
            updated[name] = floored.weight
            excluded, pinned = excluded + floored.excluded, pinned + floored.pinned
    index = {
        name: (updated[name] != weight).flatten().nonzero()[:, 0]
        for name, weight in originals.items()
    }
    values = {name: updated[name].flatten()[i] for name, i in index.items()}
    before, after = binned(originals), binned(updated)
    found = {book.name: account(before, after, book) for book in run.codebooks}
    return Unlearned(index, values, found, excluded, pinned, run.fingerprint)


def read_checkpoint(folder: Path, model: LanguageModel) -> Unlearned | None:
    """The checkpoint stored in a run's folder, or None where there is no whole one.

    Raises:
        InputError: It belongs to another model.
    """
    record = read_result(folder / "delta.safetensors")
    if record is None:
        return None
    found = unpack(Unlearned, record.tree, record.tensors)
    if found.model != model.fingerprint:
        raise InputError(
            f"The checkpoint in {folder} was not made from '{model.name}' as it is now; name the "
            "model it was made from with --model."
        )
    same = all(part.dtype == model.module.dtype for part in found.values.values())
    return found if same else None


@contextmanager
def unlearned_model(run: Run) -> Iterator[LanguageModel]:
    """The run's model with the unlearned weights in place, for the length of a ``with`` block."""
    with swapped(run.model.module, floor(run).matrices(trainable_weights(run))):
        yield run.model
