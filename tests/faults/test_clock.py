"""Clocks that jump: results are told apart by content, never by time."""

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from mansu.study.folders import Folders
from mansu.study.pipeline import run_study
from mansu.study.run import Run
from mansu.study.scorecard import Scorecard
from tests.conftest import numbers
from tests.faults.harness import assert_finishes, card_of, run

DAY = 86_400


def seconds_of(out: Path) -> list[float]:
    return list(json.loads((out / "scorecard.json").read_text())["seconds"].values())


def test_results_from_the_future_are_read_and_nothing_is_computed(
    finished_run, card: Scorecard, tmp_path: Path, tally
) -> None:
    folders = Folders(tmp_path / "run", tmp_path / "run" / "shared")
    shutil.copytree(finished_run.folder, folders.run)
    shutil.copytree(finished_run.shared, folders.shared, dirs_exist_ok=True)
    for place in [*tmp_path.rglob("*")]:
        os.utime(place, (time.time() + DAY,) * 2)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    with tally("results from the future"):
        assert numbers(run_study(Run(finished_run.config, folders))) == card
        assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


@pytest.mark.torture
@pytest.mark.parametrize("after", ["0", "8", "14"])
def test_a_clock_that_jumps_back_changes_no_number_and_no_time_is_negative(
    card: Scorecard, tmp_path: Path, tally, after: str
) -> None:
    with tally("clock that jumps back"):
        assert run(tmp_path / "run", MANSU_CLOCK=after).code == 0
        assert card_of(tmp_path / "run") == card
        assert min(seconds_of(tmp_path / "run")) >= 0
        assert_finishes(tmp_path / "run", card)
