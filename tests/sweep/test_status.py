"""How far a job of a sweep is, and the job that asks the original."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mansu.study.state import State
from mansu.sweep import status
from mansu.sweep.original import main
from mansu.sweep.status import STATUS, to_file
from tests.conftest import TINY_SETTINGS


def test_the_status_file_is_not_written_at_every_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A clock that stands still: all of this happens within the half second.
    monkeypatch.setattr(status.time, "monotonic", lambda: 1000.0)
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


def test_the_original_is_asked_in_every_format_and_nothing_else_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(STATUS, str(tmp_path / "status"))
    folders = {"out": str(tmp_path / "run"), "shared": str(tmp_path / "shared")}
    parameters = tmp_path / "parameters.yaml"
    parameters.write_text(yaml.safe_dump({**TINY_SETTINGS, "items": 8, **folders}))
    main(str(parameters))
    made = {path.name.split("-")[0] for path in (tmp_path / "shared").iterdir()}
    assert made == {"items", "behaviour", "scores", "attribution", "carried", "depth"}
    for stage in ("behaviour", "attribution", "depth"):
        assert len(list((tmp_path / "shared").glob(f"{stage}-*"))) == len(("fp", "nf4"))
    assert not (tmp_path / "run").exists()
    assert State("original", "nf4").title in (tmp_path / "status").read_text()


def test_what_is_wrong_with_the_parameters_is_one_sentence(tmp_path: Path) -> None:
    folders = {"out": str(tmp_path / "run"), "shared": str(tmp_path / "shared")}
    parameters = tmp_path / "parameters.yaml"
    parameters.write_text(yaml.safe_dump({**TINY_SETTINGS, "model": "nowhere", **folders}))
    command = [sys.executable, "-m", "mansu.sweep.original", str(parameters)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "nowhere" in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1
