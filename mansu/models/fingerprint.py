"""SHA-256 fingerprints of the files that a model or a result depends on."""

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path


def hash_file(path: Path) -> str:
    """SHA-256 of one file, read in a stream, and only once while the file stays as it is."""
    found = path.stat()
    return _hash(path, found.st_ino, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=1024)
def _hash(path: Path, *_identity: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def hash_files(paths: Iterable[Path]) -> str:
    """One SHA-256 over the names and contents of files, in the given order."""
    lines = (f"{path.name} {hash_file(path)}\n" for path in paths)
    return hashlib.sha256("".join(lines).encode()).hexdigest()
