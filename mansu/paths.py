"""Paths as a user writes them, the package's folders, and where a user's own things lie."""

import os
from pathlib import Path

from mansu.errors import InputError

SETS = "MANSU_SETS"
CACHE = "MANSU_CACHE"
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


def cache_folder() -> Path:
    """``$MANSU_CACHE``, else ``$XDG_CACHE_HOME/mansu``, else ``~/.cache/mansu``.

    Raises:
        InputError: None of them is known.
    """
    explicit = os.environ.get(CACHE)
    if explicit:
        return expand(explicit)
    folder = expand(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "mansu"
    if folder.parts[0].startswith("~"):
        raise InputError(f"There is no home folder for the model cache; set {CACHE} to a folder.")
    return folder


def sets_folder() -> Path:
    """Where a user's own benchmarks lie: ``$MANSU_SETS``, else ``sets`` in the cache.

    Raises:
        InputError: There is no home folder.
    """
    own = os.environ.get(SETS)
    return expand(own) if own else cache_folder() / "sets"


def short_name(name: str) -> str:
    """What is printed for a model or a set: a file named from the root by its last part."""
    if Path(name).is_absolute():
        return Path(name).name
    collection, colon, place = name.partition(":")
    return f"{collection}:{Path(place).name}" if colon and Path(place).is_absolute() else name
