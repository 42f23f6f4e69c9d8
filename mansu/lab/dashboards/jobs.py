"""Long work behind a button: progress, Stop, and one job at a time.

A job runs in a thread of its own, so that the page stays alive and Stop is heard. Two threads must
never touch one model, therefore one lock stands for all models: while a job works, no other
starts, and a cell that is run waits for its end (interrupting the kernel then stops the job).

A job tells how far it is after every piece of work; this is where Stop takes hold. What was
finished by then is in the run's folders or in the dashboard, and the next start goes on from it.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import ipywidgets as widgets
from IPython.core.getipython import get_ipython

from mansu.errors import InputError, RunError
from mansu.lab.dashboards.controls import Words, button
from mansu.study.run import Progress, Run
from mansu.sweep.watch import clock

_models = threading.Lock()
_current: list["Jobs"] = []  # the job at work, if any
_guarded: list[Any] = []  # the shell whose cells wait


class Stopped(Exception):  # noqa: N818 - it is no error
    """Raised inside a job at its next word, once Stop was pressed."""


class Jobs:
    """A start button, a stop button, a progress bar and a line of words.

    Attributes:
        box: The widgets.
        words: The line below the bar.
        start: The start button.
        stop: The stop button.
        bar: The progress bar.
    """

    def __init__(self, label: str, hint: str, press: Callable[[], None]) -> None:
        """Makes the row.

        Args:
            label: Of the start button.
            hint: What it does.
            press: Called when it is pressed; calls :meth:`work`.
        """
        self.start = button(label, hint, press, main=True)
        self.stop = button(
            "Stop", "End the work after its current piece; what is done stays", self.halt
        )
        self.stop.disabled = True
        self.bar = widgets.IntProgress(
            value=0,
            min=0,
            max=1,
            layout={"flex": "1 1 60px", "width": "auto", "min_width": "60px"},
        )
        self.words = Words(2)
        row = widgets.HBox([self.start, self.stop, self.bar], layout={"align_items": "center"})
        self.box = widgets.VBox(
            [row, self.words.box], layout={"width": "400px", "max_width": "100%"}
        )
        self._halted = threading.Event()
        self._thread: threading.Thread | None = None
        self._begin = ("", 0.0)

    def work(self, job: Callable[[Progress], None]) -> bool:
        """Starts a job, unless one is at work.

        Args:
            job: Is given the function to tell its progress by, which raises once Stop was pressed.

        Returns:
            Whether it started.
        """
        if not _models.acquire(blocking=False):
            self.words.say("Another job is at work; stop it, or wait for its end.", wrong=True)
            return False
        self._halted.clear()
        _guard_cells()
        _current[:] = [self]
        self.start.disabled, self.stop.disabled = True, False
        self.words.say("Starting …")
        self._thread = threading.Thread(target=self._run, args=(job,), daemon=True)
        self._thread.start()
        return True

    def halt(self) -> None:
        """Asks the job to end."""
        if not self.stop.disabled:
            self._halted.set()
            self.stop.disabled = True
            self.words.say("Stopping after the piece at hand …")

    def wait(self, seconds: float | None = None) -> bool:
        """Waits for the job's end; says whether it came."""
        if self._thread is not None:
            self._thread.join(seconds)
        return self._thread is None or not self._thread.is_alive()

    def _run(self, job: Callable[[Progress], None]) -> None:
        begin = time.monotonic()
        try:
            job(self._tell)
        except Stopped:
            self.words.say("Stopped. What is finished is kept; start again to go on.")
        except (InputError, RunError) as error:
            self.words.say(str(error), wrong=True)
        except Exception as error:
            logging.getLogger("mansu").exception("a dashboard's job failed")
            self.words.say(
                f"This should not happen ({type(error).__name__}: {error}). Restart the kernel and "
                "run the notebook again; finished stages are kept.",
                wrong=True,
            )
        else:
            self.bar.value = self.bar.max
            self.words.say(f"Done in {time.monotonic() - begin:.1f} s.")
        finally:
            _current.clear()
            _models.release()
            self.start.disabled, self.stop.disabled = False, True

    def _tell(self, task: str, done: int, total: int) -> None:
        if self._halted.is_set():
            raise Stopped
        now = time.monotonic()
        if task != self._begin[0] or not done:
            self._begin = (task, now)
        self.bar.max, self.bar.value = max(total, 1), done
        left = (now - self._begin[1]) / done * (total - done) if done else None
        rest = "" if left is None or done >= total else f", {clock(left)} min left"
        self.words.say(f"{task}: {done} of {total}{rest}")


@contextmanager
def telling(run: Run, tell: Progress) -> Iterator[Run]:
    """Has a run tell its progress to a job; its own way comes back at the end."""
    before = run.progress
    run.progress = tell
    try:
        yield run
    finally:
        run.progress = before


def _guard_cells() -> None:
    """Makes cells wait for a job, once a kernel."""
    shell = get_ipython()
    if shell is not None and shell not in _guarded:
        shell.events.register("pre_run_cell", _wait_for_job)
        _guarded.append(shell)


def _wait_for_job(*_: Any) -> None:
    for job in list(_current):
        print(
            "A dashboard's job is at work; this cell waits. Interrupt the kernel to stop the job."
        )
        while True:
            try:
                job.wait()
                break
            except KeyboardInterrupt:  # however often: two threads must not share a model
                job.halt()
