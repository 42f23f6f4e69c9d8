"""Paths as a user writes them, and the folders that belong to the package."""

import os
from pathlib import Path

# What an installed package carries of the repository; a checkout has it beside the package.
SHIPPED = Path(__file__).parent / "shipped"


def expand(path: str | Path) -> Path:
    """A path as a shell reads it: ``~`` and environment variables replaced.

    What names no home and no variable stays as it is.
    """
    return Path(os.path.expanduser(os.path.expandvars(path)))  # noqa: PTH111 (it never raises)


def absolute(path: str | Path) -> Path:
    """The same place named from the root, without following links: a link's name is a name too."""
    return Path(os.path.abspath(expand(path)))  # noqa: PTH100 (Path has no such thing)


def beside(name: str) -> Path:
    """A folder of the repository: beside the package, or carried within it."""
    return (SHIPPED if SHIPPED.is_dir() else SHIPPED.parents[1]) / name


def short_name(name: str) -> str:
    """What is printed for a model or a set: a file named from the root by its last part."""
    if Path(name).is_absolute():
        return Path(name).name
    collection, colon, place = name.partition(":")
    return f"{collection}:{Path(place).name}" if colon and Path(place).is_absolute() else name
