"""Results on disk: written under a temporary name and moved, stamped, and checked when read.

A result counts as finished when its file is whole and its stamp's key is the one its inputs have
now. Anything else (missing, cut short, altered, made from other inputs) reads as absent, and the
stage is computed again.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from mansu.errors import saving
from mansu.scratch import replacing

_STAMP = "mansu"
_WAY_OUT = "finished stages are kept: free space, or make the folder writable, and run again"
# What reading a damaged file may raise, in any of the libraries that read it.
_UNREADABLE = (
    *(OSError, SafetensorError, pa.ArrowException, ValueError, TypeError, LookupError),
    *(AttributeError, ArithmeticError, RuntimeError),
)


@dataclass(frozen=True)
class Stamp:
    """What a stored result was made from, and what making it cost.

    Attributes:
        key: Hash of everything the result depends on.
        seconds: Wall time of the stage.
        peak_memory_mb: Highest resident memory of the process that ran it, in MB.
    """

    key: str
    seconds: float
    peak_memory_mb: int


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    with saving(path, _WAY_OUT), replacing(path) as scratch:
        yield scratch


def write_text(path: Path, text: str) -> None:
    """Writes a text file in one move."""
    with _replacing(path) as scratch:
        scratch.write_text(text, encoding="utf-8")


def write_json(path: Path, payload: Mapping[str, Any], stamp: Stamp) -> None:
    """Writes a JSON result; its stamp, with a digest of all, goes beside the payload.

    Raises:
        ValueError: A number is not finite: an unmeasured value is None, never NaN.
    """
    sealed = _seal(_digest_json(payload), asdict(stamp))
    text = json.dumps({**payload, _STAMP: sealed}, indent=1, allow_nan=False, ensure_ascii=False)
    write_text(path, text + "\n")


def read_json(path: Path, key: str | None = None) -> tuple[dict[str, Any], Stamp] | None:
    """Reads a JSON result, or None where there is no whole one (with that key)."""
    try:
        payload = json.loads(path.read_text(encoding="utf-8"))
        sealed = payload.pop(_STAMP)
        whole = sealed == _seal(_digest_json(payload), sealed)
        stamp = _stamp_of(sealed)
    except _UNREADABLE:
        return None
    return (payload, stamp) if whole and key in (None, stamp.key) else None


def write_tensors(
    path: Path,
    tensors: Mapping[str, torch.Tensor],
    stamp: Stamp,
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Writes tensors as safetensors, with the stamp and further JSON values in its metadata."""
    ready = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    # The file format does not keep the order of names, but flat vectors are split by it.
    kept = {"names": list(ready), "extra": dict(extra or {}), **asdict(stamp)}
    sealed = _seal(_digest_tensors(ready), kept)
    with _replacing(path) as scratch:
        save_file(ready, scratch, metadata={_STAMP: json.dumps(sealed, allow_nan=False)})


@dataclass(frozen=True)
class StoredTensors:
    """Tensors read back, with what was stored beside them."""

    tensors: dict[str, torch.Tensor]
    extra: dict[str, Any]


def read_tensors(path: Path, key: str | None = None) -> tuple[StoredTensors, Stamp] | None:
    """Reads tensors, or None where there is no whole file (with that key)."""
    try:
        with safe_open(path, framework="pt") as stored:
            sealed = json.loads((stored.metadata() or {})[_STAMP])
            if key not in (None, sealed["key"]):
                return None
            tensors = {name: stored.get_tensor(name) for name in sealed["names"]}
        whole = sealed == _seal(_digest_tensors(tensors), sealed)
        found = StoredTensors(tensors, sealed["extra"]), _stamp_of(sealed)
    except _UNREADABLE:
        return None
    return found if whole else None


def read_stamp(path: Path, key: str) -> Stamp | None:
    """The stamp of stored tensors with that key, from the file's head alone, or None."""
    try:
        with safe_open(path, framework="pt") as stored:
            stamp = _stamp_of(json.loads((stored.metadata() or {})[_STAMP]))
    except _UNREADABLE:
        return None
    return stamp if stamp.key == key else None


def write_frame(path: Path, frame: pd.DataFrame, stamp: Stamp) -> None:
    """Writes a table as parquet, with the stamp in its schema's metadata."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    sealed = _seal(_digest_frame(table), asdict(stamp))
    metadata = {**(table.schema.metadata or {}), _STAMP.encode(): json.dumps(sealed).encode()}
    with _replacing(path) as scratch:
        pq.write_table(table.replace_schema_metadata(metadata), scratch)


def read_frame(path: Path, key: str | None = None) -> tuple[pd.DataFrame, Stamp] | None:
    """Reads a table, or None where there is no whole one (with that key)."""
    try:
        table = pq.read_table(path)
        sealed = json.loads(table.schema.metadata[_STAMP.encode()])
        whole = sealed == _seal(_digest_frame(table), sealed)
        stamp = _stamp_of(sealed)
        # Without the metadata that pandas left: the digest covers the values alone.
        frame = table.replace_schema_metadata(None).to_pandas()
    except _UNREADABLE:
        return None
    return (frame, stamp) if whole and key in (None, stamp.key) else None


def hash_json(payload: Any) -> str:
    """SHA-256 of a JSON value in canonical form."""
    text = json.dumps(payload, sort_keys=True, allow_nan=False, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _seal(content: str, beside: Mapping[str, Any]) -> dict[str, Any]:
    """What is stored beside a result, with one digest of that and of the content."""
    # Through JSON and back, so that tuples and lists, written alike, hash alike.
    kept = json.loads(json.dumps(beside))
    kept.pop("digest", None)
    return {**kept, "digest": hash_json({**kept, "content": content})}


def _stamp_of(sealed: Mapping[str, Any]) -> Stamp:
    return Stamp(**{field.name: sealed[field.name] for field in fields(Stamp)})


def _digest_json(payload: Mapping[str, Any]) -> str:
    return hash_json(json.loads(json.dumps(payload)))


def _digest_tensors(tensors: Mapping[str, torch.Tensor]) -> str:
    total = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        total.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return total.hexdigest()


def _digest_frame(table: pa.Table) -> str:
    text = json.dumps(table.to_pydict(), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
