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
from mansu.quant.permanence import account, to_frame
from mansu.study.records import StoredTensors, read_frame, read_tensors
from mansu.study.run import Run, once
from mansu.study.stages.indices import lengthen, shorten
from mansu.study.stages.movable import trainable_weights
from mansu.study.stages.train import train
from mansu.unlearn.floor import apply_floor


@dataclass(frozen=True)
class Unlearned:
    """The unlearned checkpoint θ, as what differs from θ₀.

    Attributes:
        index: Flat indices of the changed weights, by weight name.
        values: Their new values, by weight name.
        accounts: Permanence accounting, one line a matrix (``to_frame``).
        excluded: Updates that could not cross a boundary and were reset.
        pinned: Updates reset because the weight sets its block's scale.
        key: The stage's key.
    """

    index: dict[str, torch.Tensor]
    values: dict[str, torch.Tensor]
    accounts: pd.DataFrame
    excluded: int
    pinned: int
    key: str

    def matrices(self, originals: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The unlearned matrices by name."""
        result = {name: weight.clone() for name, weight in originals.items()}
        for name, index in self.index.items():
            flat = result[name].view(-1)
            flat[index.to(flat.device)] = self.values[name].to(flat.device)
        return result


@once
def floor(run: Run) -> Unlearned:
    """Floors the trained weights and accounts for every bin, or reads the stored checkpoint."""
    trained = train(run)
    stage = run.stage("floor", ["floor"], ["unlearn", "quant"], trained.key)
    path, bins = run.folder / "delta.safetensors", run.folder / "bins.parquet"
    stored, accounts = stage.read_tensors(path), stage.read_frame(bins)
    if stored is not None and accounts is not None:
        return _unpack(stored, accounts, stage.key)
    originals = trainable_weights(run)
    latents = trained.matrices(originals)
    updated, excluded, pinned = latents, 0, 0
    if run.config.floor != "none":
        floored = {
            name: apply_floor(run.config.floor, weight, latents[name])
            for name, weight in originals.items()
        }
        updated = {name: result.weight for name, result in floored.items()}
        excluded = sum(result.excluded for result in floored.values())
        pinned = sum(result.pinned for result in floored.values())
    accounts = to_frame(account(originals, updated))
    index = {
        name: (updated[name] != weight).flatten().nonzero()[:, 0]
        for name, weight in originals.items()
    }
    values = {name: updated[name].flatten()[i] for name, i in index.items()}
    stage.write_frame(bins, accounts)
    tensors = {f"index/{n}": shorten(i) for n, i in index.items()} | {
        f"value/{n}": v for n, v in values.items()
    }
    extra = {"excluded": excluded, "pinned": pinned, "model": run.model.fingerprint}
    stage.write_tensors(path, tensors, extra)
    return Unlearned(index, values, accounts, excluded, pinned, stage.key)


def read_checkpoint(folder: Path, model: LanguageModel) -> Unlearned | None:
    """The checkpoint stored in a run's folder, or None where there is no whole one.

    Raises:
        InputError: It belongs to another model.
    """
    stored = read_tensors(folder / "delta.safetensors")
    # Of two files, either may be a remnant of another configuration.
    accounts = stored and read_frame(folder / "bins.parquet", stored[1].key)
    if stored is None or accounts is None:
        return None
    if stored[0].extra["model"] != model.fingerprint:
        raise InputError(
            f"The checkpoint in {folder} was not made from '{model.name}' as it is now; name the "
            "model it was made from with --model."
        )
    found = _unpack(stored[0], accounts[0], stored[1].key)
    same = all(part.dtype == model.module.dtype for part in found.values.values())
    return found if same else None


def _unpack(stored: StoredTensors, accounts: pd.DataFrame, key: str) -> Unlearned:
    parts: dict[str, dict[str, torch.Tensor]] = {"index": {}, "value": {}}
    for name, tensor in stored.tensors.items():
        part, weight = name.split("/", 1)
        parts[part][weight] = lengthen(tensor) if part == "index" else tensor
    counts = stored.extra["excluded"], stored.extra["pinned"]
    return Unlearned(parts["index"], parts["value"], accounts, *counts, key)


@contextmanager
def unlearned_model(run: Run) -> Iterator[Unlearned]:
    """The run's model with the unlearned weights in place, for the length of a ``with`` block."""
    checkpoint = floor(run)
    with swapped(run.model.module, checkpoint.matrices(trainable_weights(run))):
        yield checkpoint
