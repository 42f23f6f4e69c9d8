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
    log, status = root / ".sweep" / "log.txt", root / ".sweep" / "status"
    before = {target: _stamp(target) for target in targets}
    done: set[Path] = set()
    started: dict[Path, float] = {}
    live = _LiveLine()
    begin = time.monotonic()
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
                running = {t: _said(status / t.relative_to(root)) for t in targets}
                for target, said in running.items():
                    if said and target not in started:
                        started[target] = time.monotonic()
                    if target not in done and _stamp(target) not in (None, before[target]):
                        done.add(target)
                        took = time.monotonic() - started.get(target, begin)
                        live.print(f"  done  {_named(target, root)}  {clock(took)}")
                live.show([f"{t.stem}: {said}" for t, said in running.items() if said])
                if ended:
                    break
                time.sleep(EVERY)
        except BaseException:
            os.killpg(process.pid, signal.SIGINT)
            process.wait()
            raise
        finally:
            live.show([])
    if process.returncode and not started:
        said = last_words(log.read_text(encoding="utf-8", errors="replace"))
        raise RunError(f"Snakemake could not start: {said} (log: {log})")
    return process.returncode


def last_words(log: str) -> str:
    """Why Snakemake ended, without its traceback, whose lines are indented."""
    lines = [line for line in log.splitlines() if line.strip() and not line[0].isspace()]
    errors = [n for n, line in enumerate(lines) if re.search(r"(Error|Exception)\b|error:", line)]
    return " ".join(lines[errors[-1] if errors else -1 :]) or "it said nothing"


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
