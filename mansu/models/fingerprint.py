"""SHA-256 fingerprints of the files that a model or a result depends on."""

import hashlib
from collections.abc import Iterable
from pathlib import Path


def hash_file(path: Path) -> str:
    """SHA-256 of one file, read in a stream."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def hash_files(paths: Iterable[Path]) -> str:
    """One SHA-256 over the names and contents of files, in the given order."""
    lines = (f"{path.name} {hash_file(path)}\n" for path in paths)
    return hashlib.sha256("".join(lines).encode()).hexdigest()
