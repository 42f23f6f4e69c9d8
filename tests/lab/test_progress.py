"""Progress for a person, and for the sweep that waits."""

from pathlib import Path

import pytest

from mansu.lab import progress as module
from mansu.lab.progress import STATUS, bars, progress, to_file
from mansu.study.run import silent


def test_a_notebook_that_nobody_watches_prints_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(STATUS, raising=False)
    assert progress() is silent


def test_a_sweep_reads_how_far_a_notebook_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(STATUS, str(tmp_path / "status"))
    progress()("training", 3, 10)
    assert (tmp_path / "status").read_text().startswith("training 3/10")


def test_the_status_file_is_not_written_at_every_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A clock that stands still: all of this happens within the half second.
    monkeypatch.setattr(module.time, "monotonic", lambda: 1000.0)
    update = to_file(tmp_path / "status")
    for step in range(1, 11):
        update("training", step, 10)
    # The first and the last word are said at once; what lies between within half a second is not.
    assert (tmp_path / "status").read_text().startswith("training 10/10")
    update("checking", 1, 5)
    assert (tmp_path / "status").read_text().startswith("checking 1/5")
    update("checking", 2, 5)
    assert (tmp_path / "status").read_text().startswith("checking 1/5")


def test_a_status_file_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    to_file(tmp_path / "missing" / "status")("training", 1, 2)


def test_a_live_notebook_draws_one_bar_a_task(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "tqdm", module.tqdm.__mro__[1])
    update = bars()
    for step in (1, 2):
        update("first", step, 2)
    update("second", 1, 4)
    drawn = capsys.readouterr().err
    assert "first: 100%" in drawn
    assert "second:" in drawn
