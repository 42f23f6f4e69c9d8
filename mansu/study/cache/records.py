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
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from mansu.errors import saving
from mansu.scratch import replacing

if TYPE_CHECKING:
    import torch

_STAMP = "mansu"
_WAY_OUT = "finished stages are kept: free space, or make the folder writable, and run again"
# What reading a damaged file may raise, in any of the libraries that read it.
_UNREADABLE = (
    *(OSError, SafetensorError, ValueError, TypeError, LookupError),
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


def write_result(
    path: Path, tree: Any, tensors: Mapping[str, "torch.Tensor"], stamp: Stamp
) -> None:
    """Writes a result: JSON, or where it has tensors safetensors with the JSON in its metadata.

    The stamp, with a digest of all, goes beside it.

    Raises:
        ValueError: A number is not finite: an unmeasured value is None, never NaN.
    """
    if path.suffix == ".json":
        sealed = _seal(hash_json(tree), asdict(stamp))
        text = json.dumps({**tree, _STAMP: sealed}, indent=1, allow_nan=False, ensure_ascii=False)
        write_text(path, text + "\n")
        return
    from safetensors.torch import save_file  # with torch, which a JSON result can do without

    kept = {"names": list(tensors), "tree": tree, **asdict(stamp)}
    sealed = json.dumps(_seal(_digest(tensors), kept), allow_nan=False)
    with _replacing(path) as scratch:
        save_file(dict(tensors), scratch, metadata={_STAMP: sealed})


@dataclass(frozen=True)
class Record:
    """A result read back.

    Attributes:
        tree: Its JSON value.
        tensors: Its tensors by path.
        stamp: What it was made from.
    """

    tree: Any
    tensors: dict[str, "torch.Tensor"]
    stamp: Stamp


def read_result(path: Path, key: str | None = None) -> Record | None:
    """Reads a result, or None where there is no whole one (with that key)."""
    try:
        if path.suffix == ".json":
            tree = json.loads(path.read_text(encoding="utf-8"))
            sealed, tensors = tree.pop(_STAMP), {}
            content = hash_json(tree)
        else:
            with safe_open(path, framework="pt") as stored:
                sealed = json.loads((stored.metadata() or {})[_STAMP])
                if key not in (None, sealed["key"]):
                    return None
                tensors = {name: stored.get_tensor(name) for name in sealed["names"]}
            tree, content = sealed["tree"], _digest(tensors)
        whole = sealed == _seal(content, sealed)
        stamp = _stamp_of(sealed)
    except _UNREADABLE:
        return None
    return Record(tree, tensors, stamp) if whole and key in (None, stamp.key) else None


def read_stamp(path: Path, key: str) -> Stamp | None:
    """The stamp of a stored result with that key, or None; of tensors from the file's head."""
    try:
        if path.suffix == ".json":
            sealed = json.loads(path.read_text(encoding="utf-8"))[_STAMP]
        else:
            with safe_open(path, framework="pt") as stored:
                sealed = json.loads((stored.metadata() or {})[_STAMP])
        stamp = _stamp_of(sealed)
    except _UNREADABLE:
        return None
    return stamp if stamp.key == key else None


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


def _digest(tensors: Mapping[str, "torch.Tensor"]) -> str:
    import torch

    total = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        if tensor.numel():  # an empty one has no bytes, and may have strides that forbid to look
            total.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return total.hexdigest()
