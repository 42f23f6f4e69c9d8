"""Progress for a person, and for the sweep that waits."""

from pathlib import Path

import pytest

from mansu.lab import progress as module
from mansu.lab.progress import bars, progress
from mansu.study.run import silent
from mansu.sweep.status import STATUS


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
