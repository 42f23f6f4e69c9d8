"""The libraries that compute come in out of the garbage collector's sight."""

import gc

import pytest

from mansu.models import memory


@pytest.fixture
def anew(monkeypatch: pytest.MonkeyPatch):
    """What is imported once is imported again, and is what the test names."""
    memory.import_libraries.cache_clear()
    yield lambda *names: monkeypatch.setattr(memory, "_LIBRARIES", names)
    gc.enable()


def test_what_came_in_is_frozen_and_the_collector_goes_on(anew) -> None:
    anew("json")
    gc.unfreeze()
    memory.import_libraries()
    assert gc.get_freeze_count() > 0
    assert gc.isenabled()


def test_a_library_that_is_missing_leaves_the_collector_as_it_was(anew) -> None:
    anew("no_such_library")
    with pytest.raises(ModuleNotFoundError):
        memory.import_libraries()
    assert gc.isenabled()
    gc.disable()
    with pytest.raises(ModuleNotFoundError):
        memory.import_libraries()
    assert not gc.isenabled()
