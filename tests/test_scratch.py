"""Files and folders that appear whole, with the modes of anything new."""

import os
from collections.abc import Iterator
from pathlib import Path
from stat import S_IMODE

import pytest
import torch
from safetensors.torch import save_file

from mansu.models.cache import build_once
from mansu.scratch import replacing
from mansu.study.cache.records import Stamp, write_result
from mansu.study.export import export_run
from mansu.study.run import Run


@pytest.fixture(params=[0o002, 0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """The umask that a test runs under."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def modes_of(folder: Path) -> dict[str, int]:
    """The mode of the folder and of all in it."""
    return {str(path): S_IMODE(path.stat().st_mode) for path in (folder, *folder.rglob("*"))}


def assert_as_new(folder: Path, umask: int) -> None:
    """The folder and all in it have the modes that the umask gives to anything new."""
    found = modes_of(folder)
    whole = {name: (0o777 if Path(name).is_dir() else 0o666) & ~umask for name in found}
    assert found == whole
    assert len(found) > 1


def test_a_result_of_any_kind_can_be_read_by_those_the_umask_lets(tmp_path: Path, umask) -> None:
    stamp, folder = Stamp("key", 1, 1), tmp_path / "results"
    write_result(folder / "a.json", {"x": 1}, {}, stamp)
    write_result(folder / "b.safetensors", {}, {"x": torch.ones(3)}, stamp)
    assert_as_new(folder, umask)


def test_a_result_written_again_follows_the_umask_of_today(tmp_path: Path, umask) -> None:
    path = tmp_path / "folder" / "result"
    for text in "ab":
        with replacing(path) as scratch:
            scratch.write_text(text)
        path.chmod(0o600)
    with replacing(path) as scratch:
        scratch.write_text("c")
    assert_as_new(path.parent, umask)


@pytest.mark.parametrize("form", ["fp", "nf4"])
def test_an_export_can_be_read_by_those_the_umask_lets(
    tmp_path: Path, umask, finished_run: Run, form: str
) -> None:
    export_run(finished_run.folder, tmp_path / "model", form)
    assert_as_new(tmp_path / "model", umask)


def test_a_cached_model_can_be_read_by_those_the_umask_lets(
    tmp_path: Path, umask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(folder: Path) -> None:
        save_file({"x": torch.ones(3)}, folder / "model.safetensors")
        (folder / "deep").mkdir()
        (folder / "deep" / "config.json").touch(0o600)

    monkeypatch.setenv("MANSU_CACHE", str(tmp_path / "cache"))
    assert_as_new(build_once("models/a", build), umask)
    assert_as_new(tmp_path / "cache", umask)


def test_a_file_and_a_folder_appear_whole_and_alone(tmp_path: Path) -> None:
    with replacing(tmp_path / "file") as scratch:
        scratch.write_text("whole")
        (scratch.parent / ".tmp1234").touch()  # as a library may leave beside what it writes
        assert not (tmp_path / "file").exists()
    with replacing(tmp_path / "folder") as scratch:
        scratch.mkdir()
        (scratch / "inside").touch()
        assert not (tmp_path / "folder").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]
    assert (tmp_path / "file").read_text() == "whole"
    assert (tmp_path / "folder" / "inside").is_file()


def test_what_is_moved_into_place_was_flushed_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed = []
    monkeypatch.setattr(os, "fsync", lambda handle: flushed.append(os.fstat(handle).st_ino))
    with replacing(tmp_path / "a") as scratch:  # safetensors puts another file there
        save_file({"x": torch.ones(3)}, scratch)
    assert flushed == [(tmp_path / "a").stat().st_ino]


def test_what_a_killed_process_left_is_removed_and_what_another_writes_is_not(
    tmp_path: Path,
) -> None:
    path, left = tmp_path / "result", tmp_path / ".result.left"
    left.mkdir()
    (left / "result").write_text("half")
    with replacing(path) as theirs:
        theirs.write_text("theirs")
        with replacing(path) as ours:
            ours.write_text("ours")
        assert theirs.exists()
        assert not left.exists()
        assert path.read_text() == "ours"
    assert path.read_text() == "theirs"
    assert list(tmp_path.iterdir()) == [path]


def test_a_body_that_fails_leaves_the_old_and_no_scraps(tmp_path: Path) -> None:
    path = tmp_path / "result"
    path.write_text("old")

    def die_half_way() -> None:
        with replacing(path) as scratch:
            scratch.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        die_half_way()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
