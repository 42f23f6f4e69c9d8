"""Python loads this at start-up when the folder is on its path: brings about the faults under test.

``MANSU_KILL_AT=n`` kills the process at its n-th writing moment, ``MANSU_MOMENTS=file`` counts
those moments, ``MANSU_CLOCK=s`` makes the clock jump back a day after s seconds.
"""

import atexit
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path


def _count_moments(kill_at: int, told: str) -> None:
    """A moment is just before a written file is flushed, and just before it is moved."""
    moments = 0

    def counted(function: Callable) -> Callable:
        def call(*arguments, **named):
            nonlocal moments
            moments += 1
            if moments == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **named)

        return call

    os.fsync, os.replace = counted(os.fsync), counted(os.replace)
    if told:
        atexit.register(lambda: Path(told).write_text(str(moments)))


def _turn_back(after: float) -> None:
    start, now = time.monotonic(), time.time
    time.time = lambda: now() - (86_400 if time.monotonic() - start > after else 0)
    time.time_ns = lambda: int(time.time() * 1e9)


if os.environ.get("MANSU_KILL_AT") or os.environ.get("MANSU_MOMENTS"):
    _count_moments(int(os.environ.get("MANSU_KILL_AT", "0")), os.environ.get("MANSU_MOMENTS", ""))
if os.environ.get("MANSU_CLOCK"):
    _turn_back(float(os.environ["MANSU_CLOCK"]))
