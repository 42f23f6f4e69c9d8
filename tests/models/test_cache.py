import pytest

from mansu.models.cache import build_once, cache_folder


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("MANSU_CACHE", str(tmp_path / "cache"))


def test_a_folder_is_built_once():
    built = []
    for _ in range(2):
        folder = build_once("models/a", lambda place: built.append((place / "x").touch()))
    assert len(built) == 1
    assert (folder / "x").is_file()


def test_a_build_that_fails_leaves_nothing_behind():
    def fail(place):
        (place / "half").touch()
        raise RuntimeError

    with pytest.raises(RuntimeError):
        build_once("models/a", fail)
    assert list((cache_folder() / "models").iterdir()) == []


def test_the_loser_of_a_race_uses_the_winners_folder():
    def overtaken(place):
        (place / "mine").touch()
        build_once("models/a", lambda other: (other / "theirs").touch())

    assert [f.name for f in build_once("models/a", overtaken).iterdir()] == ["theirs"]
