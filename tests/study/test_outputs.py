"""A place where nothing can come to lie is refused before any work, whatever names it."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mansu.errors import InputError
from mansu.study.cache.records import Stamp, read_result, write_result
from mansu.study.outputs import require_file, require_folder
from mansu.sweep import places
from mansu.sweep.batch import sweep
from tests.refusals import refused
from tests.study.small_sets import FAST, options, write_sets


def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


# Places where nothing new can come to lie, made in a folder in which one stands; `{}` is filled in.
NO_FILES: dict[str, Callable[[Path], Path]] = {
    "is a folder; give a file": lambda folder: folder,
    "lies under": lambda folder: folder / "afile" / "under" / "new{}",
    "symbolic links": lambda folder: folder / "loop{}",
    "is no file that can be replaced": pipe,
    "a link to where nothing is": lambda folder: folder / "dangling{}",
    # Which has no room for what it is called while it is written.
    "File name too long": lambda folder: folder / f"{'n' * 248}{{}}",
}
NO_FOLDERS: dict[str, Callable[[Path], Path]] = {
    "is a file; give a folder": lambda folder: folder / "afile",
    "lies under": lambda folder: folder / "afile" / "under",
    "symbolic links": lambda folder: folder / "loop",
    "a link to where nothing is": lambda folder: folder / "dangling",
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a file and links to nowhere, in which one stands."""
    (tmp_path / "afile").write_text("kept")
    for ending in ("", ".md", ".gguf"):
        (tmp_path / f"loop{ending}").symlink_to(f"loop{ending}")
        (tmp_path / f"dangling{ending}").symlink_to("nothing")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told_of(capsys, *words: str) -> str:
    """What a command said as it was refused in one line, with nothing done or written."""
    before = {path: path.lstat().st_mtime_ns for path in Path().rglob("*")}
    said = refused(capsys, *words)
    assert {path: path.lstat().st_mtime_ns for path in Path().rglob("*")} == before
    return said


@pytest.mark.parametrize("told", NO_FILES)
def test_a_file_that_cannot_come_to_lie_there_is_refused_before_any_work(
    here: Path, capsys, told: str
) -> None:
    place = str(NO_FILES[told](here))
    for option in ("--json", "--junit"):
        where = place.format("")
        assert told in told_of(capsys, "audit", "--unlearned", "tiny-llama", option, where)
    values = {"study": "small", "models": ["tiny-llama"], "sets": [write_sets(here)]}
    (here / "study.yaml").write_text(json.dumps(values | {"set": {"top_k": 2}}))
    assert told in told_of(capsys, "tune", "study.yaml", "--out", place.format(""))
    if "folder" not in told and "replaced" not in told:  # whose name has no ending to be told by
        there = place.format(".md")
        assert told in told_of(capsys, "tables", str(here), "--to", there)
        assert told in told_of(capsys, "comeback", "study.yaml", "--to", there)
        assert told in told_of(capsys, "export", str(here), "--to", place.format(".gguf"))


@pytest.mark.parametrize("told", NO_FOLDERS)
def test_a_folder_that_cannot_come_to_lie_there_is_refused_before_any_work(
    here: Path, capsys, monkeypatch, told: str
) -> None:
    place = str(NO_FOLDERS[told](here))
    sets = write_sets(here)
    run = options({**FAST, **sets})
    assert told in told_of(capsys, "run", *run, "--out", place)
    assert told in told_of(capsys, "run", *run, "--out", "new", "--shared", place)
    assert told in told_of(
        capsys, "audit", "--unlearned", "tiny-llama", *options(sets), "--out", place
    )
    values = {"study": "small", "models": ["tiny-llama"], "sets": [sets], "methods": ["ga"]}
    (here / "study.yaml").write_text(json.dumps(values | {"set": {"steps": 2}}))
    assert told in told_of(capsys, "comeback", "study.yaml", "--out", place)
    with pytest.raises(InputError, match=told):
        sweep(here / "study.yaml", out=Path(place))
    monkeypatch.setenv("MANSU_CACHE", place)
    assert told in told_of(capsys, "run", *run, "--out", "new")
    assert told in told_of(capsys, "export", str(here), "--to", "new")
    monkeypatch.setenv("MANSU_HOME", place)
    with pytest.raises(InputError, match="MANSU_HOME: "):
        places._lay_out()


def test_both_reports_of_an_audit_in_one_file_are_refused(here: Path, capsys) -> None:
    words = ["audit", "--unlearned", "tiny-llama", "--json", "./new", "--junit", "new"]
    assert "both are new; give two files" in told_of(capsys, *words)


def test_a_report_in_the_place_of_a_result_is_refused_and_the_result_stays(
    here: Path, capsys
) -> None:
    result = here / "circuit.json"
    write_result(result, {"layers": [1]}, {}, Stamp("key", 1.0, 1))
    for option in ("--json", "--junit"):
        words = ["audit", "--unlearned", "tiny-llama", "--out", ".", option, "circuit.json"]
        assert f"{option}: circuit.json is the result of a run" in told_of(capsys, *words)
    assert read_result(result, "key") is not None


@pytest.mark.parametrize("folder", ["--out", "--shared"])
def test_a_report_in_the_place_of_a_folder_of_results_is_refused(
    here: Path, capsys, folder: str
) -> None:
    words = ["audit", "--unlearned", "tiny-llama", folder, "new/er"]
    for option in ("--json", "--junit"):
        for place in ("new", "./new/er"):
            told = told_of(capsys, *words, option, place)
            assert f"{option}: {Path(place)} is to be a folder ({folder}); give a file" in told


def test_a_new_file_a_replaced_one_and_a_new_folder_are_taken(here: Path) -> None:
    for place in ("new", "new/er", "afile"):
        require_file(here / place)
    for place in ("new", "new/er", "."):
        require_folder(here / place)


def test_a_file_in_a_folder_that_nobody_may_write_to_is_refused(here: Path, monkeypatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(InputError, match="cannot be written to; give a file in another folder"):
        require_file(here / "new")
    require_folder(here / "new")  # a finished run is read from there
