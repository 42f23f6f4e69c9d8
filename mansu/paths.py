"""Paths as the user writes them."""

import os
from pathlib import Path


def expand_path(path: str | Path) -> Path:
    """The path with ``~`` and ``$NAME`` filled in: a shell does so, a YAML file or notebook not."""
    with_names = Path(os.path.expandvars(path))
    try:
        return with_names.expanduser()
    except RuntimeError:  # no such user: the file is really called so
        return with_names
