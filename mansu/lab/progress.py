"""Progress of long work: bars for a person, one line in a file for the sweep that waits."""

import os
import time
from pathlib import Path

from tqdm.auto import tqdm

from mansu.lab.show import is_live
from mansu.study.run import Progress, silent
from mansu.sweep.watch import clock

STATUS = "MANSU_STATUS"  # names the file in which an executing notebook says how far it is
EVERY = 0.5  # seconds between what it says


def progress() -> Progress:
    """How this notebook tells its progress: bars when somebody watches, else no output at all."""
    if is_live():
        return bars()
    named = os.environ.get(STATUS)
    return to_file(Path(named)) if named else silent


def bars() -> Progress:
    """Draws one bar a task."""
    current: dict[str, tqdm] = {}

    def update(task: str, done: int, total: int) -> None:
        if task not in current:
            for unfinished in current.values():
                unfinished.close()
            current.clear()
            current[task] = tqdm(total=total, desc=task)
        bar = current[task]
        bar.update(done - bar.n)
        if done >= total:
            bar.close()
            del current[task]

    return update


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
