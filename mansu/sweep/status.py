"""How far a job of a sweep is: one line in a file, for the sweep that waits."""

import os
import time
from pathlib import Path

from mansu.study.run import Progress, silent
from mansu.sweep.watch import clock

STATUS = "MANSU_STATUS"  # names the file in which a job says how far it is
EVERY = 0.5  # seconds between what it says


def progress() -> Progress:
    """How this job tells its progress; not at all where no sweep waits for it."""
    named = os.environ.get(STATUS)
    return to_file(Path(named)) if named else silent


def to_file(path: Path) -> Progress:
    """Keeps one line in a file up to date."""
    spoken = {"task": "", "time": 0.0, "start": 0.0}

    def update(task: str, done: int, total: int) -> None:
        now = time.monotonic()
        if task != spoken["task"]:
            spoken.update(task=task, start=now, time=0.0)
        if now - float(spoken["time"]) < EVERY and done < total:
            return
        spoken["time"] = now
        left = (now - float(spoken["start"])) / max(done, 1) * (total - done)
        try:
            path.write_text(f"{task} {done}/{total}, {clock(left)} left\n", encoding="utf-8")
        except OSError:
            return  # nobody is hurt when a status is not shown

    return update
