"""Holds a study for one sweep at a time, and a file for one search.

The lock dies with its holders; nobody unlocks by hand.

Snakemake inherits the lock. When the sweep alone is killed, Snakemake works on unseen and holds
it: the next sweep ends it and goes on from what is finished.
"""

import fcntl
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from mansu.errors import InputError, saving

PATIENCE = 20.0  # seconds that a killed Snakemake may take to end


@contextmanager
def holding(folder: Path) -> Iterator[int]:
    """Holds the study in ``folder/.sweep``; gives the lock's file descriptor.

    Raises:
        InputError: Another sweep holds it.
    """
    place = folder / ".sweep" / "lock"
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("a+", encoding="utf-8") as handle:
        if not _claimed(handle):
            _end_orphans(handle)
            deadline = time.monotonic() + PATIENCE
            while not _claimed(handle):
                if time.monotonic() > deadline:
                    raise _busy(folder)
                time.sleep(0.1)
        os.set_inheritable(handle.fileno(), True)
        handle.truncate(0)
        yield handle.fileno()


@contextmanager
def alone(file: Path) -> Iterator[None]:
    """Holds a file that is read, worked on for long, and written anew.

    Raises:
        InputError: Another process holds it: whichever wrote last would undo the other's work.
        RunError: Its folder cannot be written to.
    """
    place = file.with_name(f".{file.name}.lock")
    with saving(file, "give another place with --out"):
        place.parent.mkdir(parents=True, exist_ok=True)
        handle = place.open("a", encoding="utf-8")
    with handle:
        try:
            is_ours = _claimed(handle)
        except OSError:  # a file system without locks
            is_ours = True
        if not is_ours:
            raise InputError(
                f"Another process works on {file}; wait until it has ended, or give another place "
                "with --out."
            )
        yield


def name_holder(lock: int, snakemake: int) -> None:
    """Writes down this process and the Snakemake it started, the leader of its own group."""
    os.write(lock, f"{socket.gethostname()} {os.getpid()} {snakemake}\n".encode())


def _claimed(handle: TextIO) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _end_orphans(handle: TextIO) -> None:
    """Ends what a killed sweep left at work; a sweep that lives is left alone."""
    handle.seek(0)
    host, sweep, snakemake = (handle.read().split() + [""] * 3)[:3]
    if host != socket.gethostname() or _is_alive(int(sweep)):
        raise _busy(Path(handle.name).parents[1])
    with suppress(ProcessLookupError):
        os.killpg(int(snakemake), signal.SIGKILL)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _busy(folder: Path) -> InputError:
    return InputError(f"Another sweep works in {folder}; wait until it has ended.")
