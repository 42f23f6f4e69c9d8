"""Progress of long work: bars for a person, one line in a file for the sweep that waits."""

from tqdm.auto import tqdm

from mansu.lab.show import is_live
from mansu.study.run import Progress
from mansu.sweep import status


def progress() -> Progress:
    """How this notebook tells its progress: bars when somebody watches, else no output at all."""
    return bars() if is_live() else status.progress()


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
