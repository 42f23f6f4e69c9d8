"""Sweeps that lose a kernel, their own process, or everything at once."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from mansu.errors import InputError
from mansu.study.scorecard import Scorecard
from mansu.sweep.lock import holding, name_holder
from tests.conftest import TINY_SETTINGS
from tests.faults.harness import KILLED, card_of, finish, sweep

# Stands for Snakemake: inherits the lock, and works on when the sweep is gone.
_SWEEP = """
import pathlib, subprocess, sys, time
from mansu.study.scorecard import Scorecard
from mansu.sweep.lock import holding, name_holder
with holding(pathlib.Path(sys.argv[1])) as lock:
    work = [sys.executable, "-c", "import time; time.sleep(600)"]
    process = subprocess.Popen(work, pass_fds=[lock], start_new_session=True)
    name_holder(lock, process.pid)
    print(process.pid, flush=True)
    time.sleep(600)
"""


def test_a_sweep_goes_on_when_the_one_before_was_killed_and_left_its_work_running(
    tmp_path: Path, tally
) -> None:
    command = [sys.executable, "-c", _SWEEP, str(tmp_path)]
    killed = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert killed.stdout is not None
    left = int(killed.stdout.readline())
    with tally("sweep killed alone"):
        with pytest.raises(InputError, match="Another sweep works"), holding(tmp_path):
            pass
        killed.kill()
        killed.wait()
        os.kill(left, 0)  # is alive, and holds the lock
        with holding(tmp_path) as lock:
            name_holder(lock, os.getpid())
        assert (tmp_path / ".sweep" / "lock").read_text().split()[1:] == [str(os.getpid())] * 2


def processes(out: Path) -> dict[int, str]:
    """Command lines of the processes that work on a study in this folder."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            environment = (place / "environ").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(out) in words or f"MANSU_STATUS={out}" in environment:
            found[int(place.name)] = words
    return found


def kernels(out: Path) -> list[int]:
    return [pid for pid, words in processes(out).items() if "ipykernel_launcher" in words]


def wait_for(sign: Callable[[], object], process: subprocess.Popen) -> None:
    """Until there is a sign; the sweep must not end before."""
    while not sign():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


def status_of(out: Path, notebook: str) -> str:
    """What a notebook at work says it is doing."""
    found = (out / ".sweep" / "status").rglob(f"{notebook}.ipynb")
    return " ".join(path.read_text() for path in found) or "starting"


def works_on(out: Path, notebook: str) -> bool:
    return any((out / ".sweep" / "status").rglob(f"{notebook}.ipynb"))


@pytest.mark.torture
@pytest.mark.timeout(1500)
def test_a_sweep_survives_dead_kernels_its_own_end_and_a_power_cut(
    tmp_path: Path, card: Scorecard, tally
) -> None:
    out, study = tmp_path / "out", tmp_path / "study.yaml"
    values = {
        "study": "torture",
        "models": [TINY_SETTINGS["model"]],
        "sets": [{"forget": "elements", "retain": "capitals", "utility": "cities"}],
        "set": {key: value for key, value in TINY_SETTINGS.items() if key != "model"},
    }
    study.write_text(yaml.safe_dump(values))

    with tally("kernel that dies in a notebook"):
        swept = sweep(study, out)
        while swept.poll() is None:  # every kernel, as when memory does not suffice
            if "starting" not in status_of(out, "01_localize_circuit"):
                for pid in kernels(out):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.2)
        ended = finish(swept)
        assert ended.code == 1
        assert "01_localize_circuit failed: its kernel died" in ended.err
        assert "run it again to go on" in ended.err
        assert "Traceback" not in ended.err

    with tally("sweep killed alone"):
        swept = sweep(study, out)
        wait_for(lambda: works_on(out, "03_train") and kernels(out), swept)
        swept.kill()
        assert finish(swept).code == KILLED
        assert processes(out)  # Snakemake and its notebook work on

    with tally("sweep killed with all it started"):
        swept = sweep(study, out)
        wait_for(lambda: works_on(out, "05_quantize") and kernels(out), swept)
        for pid in processes(out):
            os.kill(pid, signal.SIGKILL)
        assert finish(swept).code == KILLED

    with tally("sweep after all of this"):
        ended = finish(sweep(study, out), 1000)
        assert ended.code == 0, ended.err
        assert ended.err == ""
        (scorecard,) = out.rglob("scorecard.json")
        assert card_of(scorecard.parent) == card
        assert not list(out.rglob("*.failed.ipynb"))

    with tally("sweep whose inputs come from the future"):
        for path in (out / ".sweep").rglob("*"):
            os.utime(path, (time.time() + 86_400,) * 2)
        ended = finish(sweep(study, out))
        assert ended.code == 0, ended.err
        assert "All is up to date" in ended.out
