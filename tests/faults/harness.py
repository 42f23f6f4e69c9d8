"""Starts studies of the tiny model in processes of their own, harms them, and compares the ends."""

import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from mansu.study.scorecard import Scorecard, read_scorecard
from mansu.sweep.places import repository
from tests.conftest import TINY_SETTINGS, numbers

INJECT = Path(__file__).parent / "inject"
OPTIONS = [f"--{key.replace('_', '-')}={value}" for key, value in TINY_SETTINGS.items()]
KILLED = -signal.SIGKILL


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Attributes:
        code: Its exit code; minus the signal's number where one ended it.
        out: What it printed.
        err: What it printed as an error.
    """

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Reference:
    """A study that nothing interrupted.

    Attributes:
        card: Its scorecard, without times and memory.
        cpu: Processor seconds it took.
        moments: How often it was about to flush or move a file.
    """

    card: Scorecard
    cpu: float
    moments: int


def start(out: Path, *further: str, **environment: str) -> subprocess.Popen:
    """Starts ``mansu run`` with the tiny settings; further names become environment variables.

    Further arguments are options, which override those of the tiny settings.
    """
    return _popen(["-m", "mansu", "run", *OPTIONS, *further, "--out", str(out)], environment)


# `mansu sweep STUDY`, into a folder that the command line does not offer.
_SWEEP = """
import functools, pathlib, sys
from mansu.cli import main
from mansu.sweep import batch
batch.sweep = functools.partial(batch.sweep, out=pathlib.Path(sys.argv[2]))
sys.exit(main(["sweep", sys.argv[1]]))
"""


def sweep(study: Path, out: Path) -> subprocess.Popen:
    """Starts ``mansu sweep`` with its results in ``out``."""
    return _popen(["-c", _SWEEP, str(study), str(out)], {})


def _popen(arguments: list[str], environment: dict[str, str]) -> subprocess.Popen:
    path = os.pathsep.join([str(INJECT), str(repository())])
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=repository(),
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen, seconds: float = 540) -> Ended:
    """Waits for the end."""
    out, err = process.communicate(timeout=seconds)
    return Ended(process.returncode, out, err)


def run(out: Path, *further: str, **environment: str) -> Ended:
    """Runs the study until it ends by itself or by its fault."""
    return finish(start(out, *further, **environment))


def kill_at(process: subprocess.Popen, cpu: float) -> Ended:
    """Kills a process when it has used so many seconds of processor time.

    Processor time, because a busy machine stretches the wall's.
    """
    while process.poll() is None:
        if _cpu(process.pid) >= cpu:
            process.kill()
            break
        time.sleep(0.005)
    return finish(process)


def _cpu(pid: int) -> float:
    try:
        parts = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return 0.0
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


def uninterrupted(folder: Path) -> Reference:
    """Runs the study once, whole."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = run(folder / "run", MANSU_MOMENTS=str(folder / "moments"))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert ended.code == 0, ended.err
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Reference(card_of(folder / "run"), cpu, int((folder / "moments").read_text()))


def card_of(out: Path) -> Scorecard:
    """The numbers of a run's scorecard."""
    found = read_scorecard(out / "scorecard.json")
    assert found is not None
    return numbers(found)


def assert_finishes(out: Path, card: Scorecard, **environment: str) -> None:
    """The same command goes on, ends well with that scorecard, and leaves no scraps."""
    ended = run(out, **environment)
    assert ended.code == 0, ended.err
    assert card_of(out) == card
    scraps = [path.name for path in out.rglob(".*")]
    assert not scraps


def assert_told(ended: Ended, *words: str, code: int = 1) -> None:
    """It ended with one line on standard error that holds these words."""
    assert ended.code == code, ended.err
    assert ended.err.count("\n") == 1, ended.err
    assert ended.err.startswith("mansu: ")
    for word in words:
        assert word in ended.err
