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


def short_name(place: str) -> str:
    """What to call a model or fact set where there is little room: of a path, its last part."""
    return Path(place).name if Path(place).is_absolute() else place
