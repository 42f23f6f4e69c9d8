"""What a stage does around its body: remembers, reads, computes, stores, and counts the cost."""

import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from mansu.study.cache.records import Stamp, read_result, write_result
from mansu.study.cache.stage import stage

calls: list[str] = []
watched: list[str] = []


@dataclass(frozen=True)
class Start:
    """A result without tensors."""

    x: int
    more: tuple[int, ...]


@dataclass(frozen=True)
class Found:
    """A result with a tensor."""

    total: int
    parts: torch.Tensor


@stage("first", "shared", fields=["x"], ending=".json")
def first(run: Any) -> Start:
    """The first."""
    calls.append("first")
    time.sleep(0.3)
    return Start(run.config.x, (2,))


@stage("second", "run", fields=["y"], after=[first], scratch=lambda run: [run.folder / "half"])
def second(run: Any, watch: Any = None) -> Found:
    """The second."""
    calls.append("second")
    run.folder.mkdir(parents=True, exist_ok=True)
    (run.folder / "half").touch()
    if watch is not None:
        watched.append(watch)
    return Found(first(run).x + 2 + run.config.y, torch.ones(3))


@stage(
    "third",
    place=lambda run, name: "shared" if name == "common" else "run",
    after=lambda run, name: [(second, ())],
    remember=False,
)
def third(run: Any, name: str) -> str:
    """The third, about something."""
    calls.append(f"third {name}")
    return f"{name} {second(run).total}"


@pytest.fixture(autouse=True)
def counted() -> None:
    calls.clear()
    watched.clear()


def make_run(folder: Path, **config: Any) -> Any:
    """As much of a run as a stage asks for."""
    opened: list[bool] = []
    return SimpleNamespace(
        results={},
        keys={},
        config=SimpleNamespace(**{"dtype": "float32", "x": 1, "y": 10, **config}),
        fingerprint="model",
        family_file=Path(__file__),
        folder=folder / "run",
        shared=folder / "shared",
        open=lambda: opened.append(True),
        opened=opened,
    )


def test_a_result_is_computed_once_then_remembered_and_by_another_run_read(tmp_path) -> None:
    run = make_run(tmp_path)
    found = second(run)
    assert (found.total, calls) == (13, ["first", "second"])
    assert second(run) is found
    again = second(make_run(tmp_path))
    assert again.total == 13
    assert torch.equal(again.parts, found.parts)
    assert calls == ["first", "second"]
    assert run.opened == [True]  # the folder is claimed before the first result lies in it


def test_what_is_large_is_not_remembered_but_read_again(tmp_path) -> None:
    run = make_run(tmp_path)
    assert third(run, "own") == third(run, "own") == "own 13"
    assert calls.count("third own") == 1
    assert not [key for key in run.results if key[0] is third]


def test_every_argument_has_a_result_and_a_place_of_its_own(tmp_path) -> None:
    run = make_run(tmp_path)
    assert {third(run, "own"), third(run, "other"), third(run, "common")} == {
        *("own 13", "other 13", "common 13")
    }
    own = {path.name for path in run.folder.iterdir()}
    assert own == {"second.safetensors", "third-own.safetensors", "third-other.safetensors"}
    shared = {path.name.rpartition("-")[0] for path in run.shared.iterdir()}
    assert shared == {"first", "third-common"}


def test_other_settings_make_another_result_and_shared_ones_lie_side_by_side(tmp_path) -> None:
    one, other = make_run(tmp_path), make_run(tmp_path, x=5)
    assert (second(one).total, second(other).total) == (13, 17)
    assert len(list(one.shared.iterdir())) == 2
    assert second(make_run(tmp_path)).total == 13  # the one file of the run was the other's
    assert calls == ["first", "second", "first", "second", "second"]


def test_a_field_that_only_a_later_stage_reads_leaves_the_earlier_one_valid(tmp_path) -> None:
    second(make_run(tmp_path))
    assert second(make_run(tmp_path, y=20)).total == 23
    assert calls == ["first", "second", "second"]


@pytest.mark.parametrize("content", [b"", b"half", b"{}"])
def test_a_damaged_result_is_computed_again(tmp_path, content: bytes) -> None:
    run = make_run(tmp_path)
    second(run)
    second.path(run).write_bytes(content)
    assert second(make_run(tmp_path)).total == 13
    assert read_result(second.path(run), second.key(run)) is not None


@pytest.mark.parametrize(
    "tree", [{}, [], None, {"total": "many", "parts": {"$range": 3}}, {"total": 1, "parts": [1]}]
)
def test_a_whole_file_that_holds_another_kind_of_result_is_computed_again(tmp_path, tree) -> None:
    run = make_run(tmp_path)
    write_result(second.path(run), tree, {}, Stamp(second.key(run), 0.0, 0))
    assert second(run).total == 13


def test_the_key_is_known_before_anything_is_computed(tmp_path) -> None:
    key = second.key(make_run(tmp_path))
    assert calls == []
    run = make_run(tmp_path)
    second(run)
    stored = read_result(second.path(run))
    assert stored is not None
    assert stored.stamp.key == key


def test_the_time_of_what_comes_before_is_not_counted_twice(tmp_path) -> None:
    run = make_run(tmp_path)
    third(run, "own")
    costs = third.costs(run, "own")
    assert list(costs) == ["first", "second"]
    assert costs["first"].seconds >= 0.3 > costs["second"].seconds
    assert all(cost.peak_memory_mb > 0 for cost in costs.values())


def test_costs_of_what_is_not_stored_are_left_out(tmp_path) -> None:
    run = make_run(tmp_path)
    assert third.costs(run, "own") == {}
    first(run)
    assert list(third.costs(run, "own")) == ["first"]


def test_what_a_body_kept_for_a_killed_run_goes_when_its_result_is_stored(tmp_path) -> None:
    run = make_run(tmp_path)
    second(run)
    assert not (run.folder / "half").exists()


def test_a_watcher_is_handed_to_the_body_and_is_no_part_of_the_key(tmp_path) -> None:
    second(make_run(tmp_path), watch="me")
    assert watched == ["me"]
    second(make_run(tmp_path))
    assert calls == ["first", "second"]


def test_reading_computes_nothing(tmp_path) -> None:
    run = make_run(tmp_path)
    assert second.read(run) is None
    assert not second.is_stored(run)
    second(run)
    fresh = make_run(tmp_path)
    assert second.is_stored(fresh)
    found = second.read(fresh)
    assert found is not None
    assert found.total == 13
    assert calls == ["first", "second"]
