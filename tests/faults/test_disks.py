"""Disks that are full, read-only, or not what they seem."""

from pathlib import Path

import pytest
import torch

from mansu.cli import main
from mansu.errors import RunError
from mansu.study.cache.records import Stamp, read_result, write_result
from mansu.study.export import export_run
from mansu.study.scorecard import Scorecard
from tests.faults.harness import OPTIONS, assert_finishes, assert_told, run

STAMP = Stamp("key", 1.0, 1)
LARGE = {
    "json": ({"x": list(range(100_000))}, {}),
    "safetensors": ({}, {"x": torch.ones(99_999)}),
}


@pytest.mark.parametrize("kind", LARGE)
def test_a_result_that_does_not_fit_the_disk_leaves_nothing(disk, tally, kind: str) -> None:
    path = disk("128k") / f"result.{kind}"
    with tally("full disk"):
        with pytest.raises(RunError, match="No space left on device"):
            write_result(path, *LARGE[kind], STAMP)
        assert read_result(path) is None
        assert not list(path.parent.iterdir())
        disk("8m")
        write_result(path, *LARGE[kind], STAMP)
        assert read_result(path, "key") is not None


@pytest.mark.torture
@pytest.mark.parametrize("size", ["300k", "600k", "1200k", "2000k"])
def test_a_study_on_a_full_disk_says_so_and_goes_on_when_there_is_space(
    disk, tally, card: Scorecard, size: str
) -> None:
    out = disk(size) / "run"
    with tally("full disk"):
        assert_told(run(out), "No space left on device", "free space", str(out))
        assert not (out / "scorecard.json").exists()
        disk("200m")
        assert_finishes(out, card)


@pytest.mark.parametrize("form", ["fp", "nf4"])
@pytest.mark.parametrize("size", ["64k", "2500k"])
def test_a_model_that_does_not_fit_the_disk_is_not_exported(
    disk, tally, finished_run, size: str, form: str
) -> None:
    folder = disk(size)
    with tally("full disk while exporting"):
        with pytest.raises(RunError, match="No space left on device"):
            export_run(finished_run.folder, folder / "model", form)
        assert not list(folder.iterdir())


def test_a_read_only_folder_is_told_in_one_sentence(disk, tally) -> None:
    folder = disk("1m", "ro")
    with tally("read-only folder"), pytest.raises(RunError, match="Read-only file system"):
        write_result(folder / "new" / "a.json", {}, {}, STAMP)


@pytest.mark.torture
def test_a_study_in_a_read_only_folder_is_told(disk, tally, tmp_path: Path) -> None:
    folder = disk("1m", "ro")
    with tally("read-only folder"):
        assert_told(run(folder / "run"), "Read-only file system", "make the folder writable")
    with tally("read-only model cache"):
        ended = run(tmp_path / "run", MANSU_CACHE=str(folder))
        assert_told(ended, "Read-only file system", "MANSU_CACHE")


@pytest.mark.torture
def test_a_finished_study_is_read_from_a_read_only_folder(disk, tally, card: Scorecard) -> None:
    out = disk("200m") / "run"
    with tally("read-only folder"):
        assert_finishes(out, card)
        disk("200m", "ro")
        assert_finishes(out, card)


def test_a_file_where_a_folder_should_be_is_refused(tmp_path: Path, tally, capsys) -> None:
    (tmp_path / "file").touch()
    for options in (["--out", "file"], ["--out", "run", "--shared", "file"]):
        places = [str(tmp_path / o) if not o.startswith("-") else o for o in options]
        with tally("file in place of a folder"):
            assert main(["run", *OPTIONS, *places]) == 2
            assert "is a file; give a folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
