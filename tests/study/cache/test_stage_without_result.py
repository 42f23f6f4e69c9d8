"""A stage that has no result keeps the reason, and what is built on it is not computed."""

from dataclasses import dataclass
from typing import Any

import pytest

from mansu.errors import NoResultError
from mansu.study.cache.stage import stage
from tests.study.cache.test_stage import make_run

calls: list[str] = []
WORD, WHY = "no such thing", "toy: the model has no such thing; choose another."


@dataclass(frozen=True)
class Found:
    """A result."""

    word: str


@stage("barren", "run", fields=["x"])
def barren(run: Any) -> Found:
    """Has a result for no x but 9."""
    calls.append("barren")
    if run.config.x != 9:
        raise NoResultError(WORD, WHY)
    return Found("there")


@stage("built", "run", after=[barren])
def built(run: Any) -> Found:
    """Cannot do without it."""
    calls.append("built")
    return barren(run)


def _told(error: NoResultError, run: Any) -> Found:
    return Found(error.word)


@stage("telling", "run", after=[built], ending=".json", without=_told)
def telling(run: Any) -> Found:
    """Can."""
    calls.append("telling")
    return built(run)


@pytest.fixture(autouse=True)
def counted() -> None:
    calls.clear()


def test_the_reason_is_kept_and_told_again_and_nothing_is_tried_twice(tmp_path) -> None:
    run = make_run(tmp_path)
    for opened in (run, run, make_run(tmp_path)):
        with pytest.raises(NoResultError) as told:
            barren(opened)
        assert (told.value.word, str(told.value)) == (WORD, WHY)
    assert calls == ["barren"]
    assert run.opened == [True]


def test_it_is_no_result_for_whoever_reads_one(tmp_path) -> None:
    run = make_run(tmp_path)
    with pytest.raises(NoResultError):
        barren(run)
    assert barren.read(run) is None
    assert barren.cost(run) is None
    assert not barren.is_stored(run)


def test_other_inputs_are_tried_anew_and_a_result_takes_the_reason_s_place(tmp_path) -> None:
    with pytest.raises(NoResultError):
        barren(make_run(tmp_path))
    run = make_run(tmp_path, x=9)
    assert barren(run) == barren.read(run) == Found("there")
    assert calls == ["barren", "barren"]
    assert len(list(run.folder.iterdir())) == 1


def test_what_is_built_on_it_is_neither_computed_nor_stored(tmp_path) -> None:
    run = make_run(tmp_path)
    for _ in range(2):
        with pytest.raises(NoResultError, match="no such thing"):
            built(run)
    assert calls == ["barren"]
    assert [path.stem for path in run.folder.iterdir()] == ["barren"]


def test_a_stage_with_something_to_say_without_it_says_that_and_keeps_it(tmp_path) -> None:
    run = make_run(tmp_path)
    assert telling(run) == telling.read(make_run(tmp_path)) == Found(WORD)
    assert calls == ["barren"]
    assert telling(make_run(tmp_path, x=9)) == Found("there")
    assert calls == ["barren", "barren", "built", "telling"]
