"""The folder where converted and trained models are kept between runs.

A model's folder carries the digests of its files, written when it was built. A folder that does
not match them (cut short, altered, a file lost) is built again.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mansu.errors import saving
from mansu.models.fingerprint import hash_file
from mansu.paths import CACHE, cache_folder
from mansu.scratch import replacing

DIGESTS = "digests.json"
_LONGEST = 200  # bytes of a folder's name; file systems take 255, and locks add to it


def build_once(name: str, build: Callable[[Path], None]) -> Path:
    """Returns the cached folder of that name, building it where it is missing or damaged.

    The folder is filled under a temporary name and moved when it is complete, so a killed build
    leaves nothing that could be taken for a result. A second process waits for the first.

    Raises:
        RunError: The disk is full or the cache cannot be written.
    """
    target = cache_folder() / _fit(name)
    if _is_whole(target):
        return target
    way_out = f"free space there, or set {CACHE} to another folder, and run again"
    with saving(f"The model cache {target.parent}", way_out), _locked(target):
        if not _is_whole(target):  # another process may have built it meanwhile
            _build(target, build)
    return target


def _fit(name: str) -> str:
    """The name if a folder can have it, and what lies beside it while it is built; else its
    beginning and a digest of the whole."""
    place, slash, last = name.rpartition("/")
    content = os.fsencode(last)
    if len(content) <= _LONGEST:
        return name
    digest = hashlib.sha256(content).hexdigest()[:12]
    return f"{place}{slash}{content[: _LONGEST - 13].decode(errors='ignore')}-{digest}"


def _is_whole(folder: Path) -> bool:
    """Whether the folder's files are those that were built. Hashes a file once a process."""
    try:
        digests = json.loads((folder / DIGESTS).read_text(encoding="utf-8"))
        return bool(digests) and all(hash_file(folder / f) == d for f, d in digests.items())
    except (OSError, ValueError, AttributeError):
        return False


@contextmanager
def _locked(target: Path) -> Iterator[None]:
    """Holds the folder's name for this process; the lock dies with it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / f".{target.name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _build(target: Path, build: Callable[[Path], None]) -> None:
    with replacing(target) as scratch:
        scratch.mkdir()
        build(scratch)
        files = [path for path in sorted(scratch.rglob("*")) if path.is_file()]
        digests = {str(path.relative_to(scratch)): hash_file(path) for path in files}
        (scratch / DIGESTS).write_text(json.dumps(digests, indent=1), encoding="utf-8")
        if target.exists():  # damaged; whoever has its files open keeps them
            target.rename(scratch.with_name(f"{scratch.name}.damaged"))
