"""Progress on a terminal."""

import sys


class Bars:
    """One progress bar a task, with the time left, on a terminal; nothing elsewhere."""

    def __init__(self) -> None:
        self._bar = None
        self._task = ""

    def __enter__(self) -> "Bars":
        return self

    def __exit__(self, *_error: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, task: str, done: int, total: int) -> None:
        """Moves the task's bar."""
        if not sys.stderr.isatty():
            return
        if self._bar is None or task != self._task:
            from tqdm import tqdm

            if self._bar is not None:
                self._bar.close()
            self._task, self._bar = task, tqdm(total=total, desc=task, leave=False)
        self._bar.update(done - self._bar.n)
