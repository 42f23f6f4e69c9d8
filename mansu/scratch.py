"""Files and folders under construction: made beside their place, and moved there when complete.

What is moved is on disk before, and has the modes of anything new: others may read it as far as the
umask lets them. (:mod:`tempfile` and safetensors make files for their owner alone.)
"""

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from stat import S_IMODE


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Gives a path to write a file or a folder to; moves it to ``target`` if the body succeeds.

    It lies in a folder of its own, which goes away with all else that was left in it. A killed
    process leaves that folder behind, but not its lock: then the next one removes it.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for left in target.parent.glob(f".{escape(target.name)}.*/"):
        with suppress(OSError), _opened(left) as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left)
    with _own_folder(target) as folder:
        place = folder / target.name
        yield place
        follow_umask(folder)
        for path in (place, *place.rglob("*")):
            if path.is_file():
                _flush(path)
        place.replace(target)


def follow_umask(folder: Path) -> None:
    """Gives every file below a folder the mode of a new one, as the folder itself has it."""
    mode = folder.stat().st_mode & 0o666
    for path in folder.rglob("*"):
        if path.is_file() and S_IMODE(path.stat().st_mode) != mode:
            path.chmod(mode)


@contextmanager
def _own_folder(target: Path) -> Iterator[Path]:
    while True:
        folder = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        folder.mkdir()
        try:
            with _opened(folder) as handle:
                with suppress(OSError):  # a file system without locks; nothing is removed there
                    fcntl.flock(handle, fcntl.LOCK_EX)
                if folder.exists():  # not removed by another process before it was locked
                    yield folder
                    return
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    handle = os.open(folder, os.O_RDONLY)
    try:
        yield handle
    finally:
        os.close(handle)


def _flush(path: Path) -> None:
    with path.open("rb") as written:
        os.fsync(written.fileno())
