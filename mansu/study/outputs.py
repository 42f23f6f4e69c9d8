"""Where something is to be written: asked before any work, so that none is done for nothing.

A place is refused by its kind alone, and a file by its folder's modes as well. What a disk has no
room for is told when it is written (:func:`mansu.errors.saving`), and so is a folder of results
that nobody may write to: a finished run is read from it all the same.
"""

import os
from errno import ENAMETOOLONG
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from mansu.errors import InputError
from mansu.paths import CACHE, expand


def require_file(path: Path, option: str = "") -> None:
    """Refuses a place where no file can come to lie.

    Args:
        path: Where it is to lie; one that lies there is replaced.
        option: What names the place, such as ``--json``; empty where the place says enough.

    Raises:
        InputError: It is a folder or a device, lies under a file, is a link to nowhere, or its
            folder cannot be written to.
    """
    _require_name(path, option)
    mode = _mode(path, option)
    if mode is not None and not S_ISREG(mode):
        kind = "a folder" if S_ISDIR(mode) else "no file that can be replaced"
        raise InputError(f"{_named(option)}{path} is {kind}; give a file.")
    above = _existing(path, option)
    if not os.access(above, os.W_OK | os.X_OK):
        raise InputError(
            f"{_named(option)}{above} cannot be written to; give a file in another folder."
        )


def require_no_result(path: Path, option: str) -> None:
    """Refuses to have a stage's result replaced by something else.

    Raises:
        InputError: One lies there.
    """
    from mansu.study.cache.records import read_result

    if read_result(path) is not None:
        raise InputError(f"{_named(option)}{path} is the result of a run; give another file.")


def require_folder(path: Path, option: str = "") -> None:
    """Refuses a place where no folder can come to lie.

    Args:
        path: Where it is to lie, or lies.
        option: As above.

    Raises:
        InputError: It is a file, lies under one, or is a link to nowhere.
    """
    mode = _mode(path, option)
    if mode is not None and not S_ISDIR(mode):
        raise InputError(f"{_named(option)}{path} is a file; give a folder.")
    _existing(path, option)


def require_cache() -> None:
    """Refuses a model cache that is named where no folder can come to lie.

    The usual one is in the home folder, which need not be there: not every model is kept in it.

    Raises:
        InputError: It is one.
    """
    if named := os.environ.get(CACHE):
        require_folder(expand(named), CACHE)


def _require_name(path: Path, option: str) -> None:
    """Refuses a name that is too long for what it is called while it is written.

    Raises:
        InputError: It is.
    """
    try:
        path.with_name(f".{path.name}.{'0' * 8}").lstat()
    except OSError as error:
        if error.errno == ENAMETOOLONG:
            raise InputError(
                f"{_named(option)}{path} cannot be written ({error.strerror}); give another place."
            ) from error
    except ValueError:  # no name at all, or a null in it: told of for itself
        pass


def _mode(path: Path, option: str) -> int | None:
    """What lies there; None where nothing does.

    Raises:
        InputError: Nothing can lie there.
    """
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        if not path.is_symlink():
            return None
        reason = "it is a link to where nothing is"
    except (OSError, ValueError) as error:  # links in a circle, a null or too many characters
        reason = getattr(error, "strerror", None) or error
    raise InputError(f"{_named(option)}{path} cannot be written ({reason}); give another place.")


def _existing(path: Path, option: str) -> Path:
    """The nearest folder above a place that is there already.

    Raises:
        InputError: What is there is no folder.
    """
    for above in path.absolute().parents:
        mode = _mode(above, option)
        if mode is not None and not S_ISDIR(mode):
            raise InputError(
                f"{_named(option)}{path} lies under {above}, which is a file; give another place."
            )
        if mode is not None:
            return above
    return Path("/")


def _named(option: str) -> str:
    return option and f"{option}: "
