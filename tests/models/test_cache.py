import hashlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from mansu.errors import InputError, RunError
from mansu.models.cache import build_once
from mansu.models.fingerprint import hash_file
from mansu.paths import cache_folder


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("MANSU_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("name", ["MANSU_CACHE", "XDG_CACHE_HOME"])
@pytest.mark.parametrize("folder", ["~/c", "$HOME/c"])
def test_the_cache_may_lie_below_the_home_folder(monkeypatch, tmp_path, name, folder):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("MANSU_CACHE")
    monkeypatch.setenv(name, folder)
    assert cache_folder() == (tmp_path / "c" if name == "MANSU_CACHE" else tmp_path / "c" / "mansu")


def test_without_a_home_folder_the_cache_must_be_named(monkeypatch):
    for name in ("MANSU_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_000)
    with pytest.raises(InputError, match="set MANSU_CACHE"):
        cache_folder()


def test_a_folder_is_built_once():
    built = []
    for _ in range(2):
        folder = build_once("models/a", lambda place: built.append((place / "x").touch()))
    assert len(built) == 1
    assert (folder / "x").is_file()


@pytest.mark.parametrize("letter", ["x", "é", "\udcff"])
def test_a_name_that_no_folder_can_have_is_cut_and_still_tells_two_apart(letter):
    names = [f"models/{letter * 240}{end}" for end in "ab"]
    folders = [build_once(n, lambda place: (place / "whole").touch()) for n in (*names, names[0])]
    assert folders[0] == folders[2] != folders[1]
    assert all((folder / "whole").is_file() for folder in folders)
    assert build_once("models/short", lambda place: (place / "x").touch()).name == "short"


def test_a_build_that_fails_leaves_nothing_behind():
    def fail(place):
        (place / "half").touch()
        raise RuntimeError

    with pytest.raises(RuntimeError):
        build_once("models/a", fail)
    assert [p.name for p in (cache_folder() / "models").iterdir()] == [".a.lock"]


def test_a_second_process_waits_for_the_first_and_builds_nothing():
    inside, go_on, built = threading.Event(), threading.Event(), []

    def slow(place):
        inside.set()
        assert go_on.wait(300)
        (place / "first").touch()
        built.append("first")

    def unwanted(place):
        (place / "second").touch()
        built.append("second")

    # Two open files of a lock exclude each other, in one process as in two.
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(build_once, "models/a", slow)
        assert inside.wait(300)
        second = threads.submit(build_once, "models/a", unwanted)
        go_on.set()
        assert first.result(300) == second.result(300)
    assert built == ["first"]


@pytest.mark.parametrize("damage", ["flip", "cut", "lose", "digests"])
def test_a_damaged_folder_is_built_again(damage):
    def build(place):
        (place / "weights").write_bytes(bytes(range(200)))
        (place / "config").write_text("{}")

    folder = build_once("models/a", build)
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    weights = folder / "weights"
    match damage:
        case "flip":
            weights.write_bytes(bytes(100) + weights.read_bytes()[100:])
        case "cut":
            weights.write_bytes(weights.read_bytes()[:100])
        case "lose":
            (folder / "config").unlink()
        case _:
            (folder / "digests.json").write_text("{}")
    assert build_once("models/a", build) == folder
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
    assert {p.name for p in folder.parent.iterdir()} == {"a", ".a.lock"}


def test_what_a_killed_build_left_is_removed_by_the_next():
    left = cache_folder() / "models" / ".a.left"
    left.mkdir(parents=True)
    (left / "half").touch()
    build_once("models/a", lambda place: (place / "x").touch())
    assert not left.exists()


def test_a_file_is_hashed_once_while_it_stays_as_it_is(tmp_path, monkeypatch):
    (tmp_path / "weights").write_bytes(b"1")
    counted = []
    digest = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda *a: counted.append(a) or digest(*a))
    for _ in range(3):
        first = hash_file(tmp_path / "weights")
    assert len(counted) == 1
    (tmp_path / "weights").write_bytes(b"22")
    assert hash_file(tmp_path / "weights") != first


def test_a_cache_that_cannot_be_written_is_told(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("MANSU_CACHE", str(tmp_path / "file"))
    with pytest.raises(RunError, match="set MANSU_CACHE"):
        build_once("models/a", lambda place: None)
