"""No stage reads a field of the configuration that no key knows."""

import dataclasses
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mansu.study.cache.stage import Stage
from mansu.study.config import FIELDS, StudyConfig
from mansu.study.folders import Folders
from mansu.study.pipeline import run_study
from mansu.study.run import Run
from mansu.study.stages import (
    measure_guarantees,
    measure_quality,
)
from mansu.study.stages.compare import compare_known
from mansu.study.stages.faithfulness import measure_faithfulness
from tests.study.cache.calls import CALLS, title
from tests.study.small_sets import hurry


class Watch:
    """Notes which fields of a configuration are read, and on whose behalf."""

    def __init__(self, config: StudyConfig) -> None:
        self.reads: dict[tuple[str, str], set[str]] = defaultdict(set)
        self._stack: list[tuple[str, str]] = [("nobody", "")]
        watch, names = self, {field.name for field in FIELDS}

        class Watched(StudyConfig):
            def __getattribute__(self, name: str) -> Any:
                if name in names:
                    watch.reads[watch._stack[-1]].add(name)
                return super().__getattribute__(name)

        own = type(config.settings)
        own_names = {field.name for field in dataclasses.fields(own)}

        class WatchedSettings(own):
            def __getattribute__(self, name: str) -> Any:
                if name in own_names:
                    watch.reads[watch._stack[-1]].add(name)
                return super().__getattribute__(name)

        self.config = object.__new__(Watched)
        settings = object.__new__(WatchedSettings)
        vars(settings).update(vars(config.settings))
        vars(self.config).update({**vars(config), "settings": settings})

    def noting(self, part: str, function: Callable, stage: Stage | None = None) -> Callable:
        """The function; what is read while it runs is noted under that part of the stage."""

        def call(*given: Any, **named: Any) -> Any:
            self._stack.append((part, title(stage, given[1:]) if stage else ""))
            try:
                return function(*given, **named)
            finally:
                self._stack.pop()

        return call


def test_every_stage_reads_only_what_its_key_and_those_before_it_know(
    tiny_config: StudyConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    watch = Watch(tiny_config)
    for stage in {stage for stage, _ in CALLS}:
        for part in ("_compute", "_depends", "write"):
            noted = watch.noting(part, getattr(stage, part), stage)
            monkeypatch.setattr(stage, part, noted)
    # The scorecard and config.json keep a copy of all fields.
    monkeypatch.setattr(dataclasses, "asdict", watch.noting("copy", dataclasses.asdict))
    monkeypatch.setattr(Run, "open", watch.noting("copy", Run.open))

    run = Run(watch.config, Folders(tmp_path / "run", tmp_path / "shared"))
    _ = run.model
    run_study(run)
    for extra in (measure_guarantees, measure_quality, measure_faithfulness):
        extra(run)
    for form in ("fp", "nf4"):
        compare_known(run, form)

    def known(stage: Stage, *given: Any) -> set[str]:
        found = set(watch.reads["_depends", title(stage, given)])
        for earlier, theirs in stage.before(run, *given):
            found |= known(earlier, *theirs)
        return found

    assert "learning_rate" in watch.reads["_compute", "trained"]
    assert "top_k" in watch.reads["_compute", "circuit"]
    for stage, given in CALLS:
        read = watch.reads["_compute", title(stage, given)]
        assert read <= known(stage, *given) | {"device", "memory_mb"}, title(stage, given)
