"""Shows what a sweep is doing: a line for every finished notebook, a live line on a terminal."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from mansu.errors import RunError
from mansu.sweep.lock import name_holder

EVERY = 0.5  # seconds between looks


def watch(
    command: Sequence[str],
    environment: Mapping[str, str],
    root: Path,
    targets: Sequence[Path],
    lock: int,
) -> int:
    """Runs Snakemake, its own words into a log, and shows the notebooks' progress.

    Args:
        command: The command line.
        environment: What it sees of the environment.
        root: The study's folder.
        targets: The notebooks it is to make.
        lock: File descriptor that it keeps open.

    Returns:
        Its exit code.

    Raises:
        RunError: It ended before it started anything; its last words are in the message.
    """
    log = root / ".sweep" / "log.txt"
    live = _LiveLine()
    look = _Progress(root, targets, live)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends as an interrupt does, below
    with log.open("w", encoding="utf-8") as words:
        process = subprocess.Popen(  # noqa: S603 (our own command line, no shell)
            command,
            env=environment,
            stdout=words,
            stderr=subprocess.STDOUT,
            pass_fds=[lock],
            start_new_session=True,  # an interrupt is passed on below, once, to all of them
        )
        try:
            name_holder(lock, process.pid)
            while True:
                ended = process.poll() is not None
                look.tell()
                if ended:
                    break
                time.sleep(EVERY)
        except BaseException:
            os.killpg(process.pid, signal.SIGINT)
            process.wait()
            raise
        finally:
            live.show([])
    if process.returncode and not look.started:
        said = last_words(log.read_text(encoding="utf-8", errors="replace"))
        raise RunError(f"Snakemake could not start: {said} (log: {log})")
    return process.returncode


def last_words(log: str) -> str:
    """Why Snakemake ended, without its traceback, whose lines are indented."""
    lines = [line for line in log.splitlines() if line.strip() and not line[0].isspace()]
    errors = [n for n, line in enumerate(lines) if re.search(r"(Error|Exception)\b|error:", line)]
    return " ".join(lines[errors[-1] if errors else -1 :]) or "it said nothing"


class _Progress:
    """What the notebooks have come to since the last look.

    Attributes:
        started: When each was first seen at work.
    """

    def __init__(self, root: Path, targets: Sequence[Path], live: "_LiveLine") -> None:
        self.started: dict[Path, float] = {}
        self._root, self._targets, self._live = root, targets, live
        self._before = {target: _stamp(target) for target in targets}
        self._done: set[Path] = set()
        self._begin = time.monotonic()

    def tell(self) -> None:
        """Prints a line for every notebook that is done, and shows what the others are at."""
        status = self._root / ".sweep" / "status"
        running = {t: _said(status / t.relative_to(self._root)) for t in self._targets}
        for target, said in running.items():
            if said and target not in self.started:
                self.started[target] = time.monotonic()
            if target not in self._done and _stamp(target) not in (None, self._before[target]):
                self._done.add(target)
                took = time.monotonic() - self.started.get(target, self._begin)
                self._live.print(f"  done  {_named(target, self._root)}  {clock(took)}")
        self._live.show([f"{t.stem}: {said}" for t, said in running.items() if said])


class _LiveLine:
    """One line of a terminal that is written over and over; nothing elsewhere."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._shown = ""

    def show(self, parts: Sequence[str]) -> None:
        """Replaces the line."""
        if not self._live:
            return
        width = os.get_terminal_size(sys.stderr.fileno()).columns - 1
        text = ("  " + "   ".join(parts))[:width] if parts else ""
        if text != self._shown:
            sys.stderr.write("\r" + text.ljust(len(self._shown)) + ("" if text else "\r"))
            sys.stderr.flush()
            self._shown = text

    def print(self, text: str) -> None:
        """Prints a line that stays, above the live one."""
        self.show([])
        print(text, flush=True)


def _said(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _stamp(path: Path) -> int | None:
    return path.stat().st_mtime_ns if path.is_file() else None


def _named(target: Path, root: Path) -> str:
    return str(target.relative_to(root).with_suffix(""))


def clock(seconds: float) -> str:
    """Minutes and seconds, ``12:05``."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
