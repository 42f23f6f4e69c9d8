"""A stored result is valid as long as nothing that it depends on changed, and no longer."""

import importlib
import importlib.metadata
import pkgutil
from pathlib import Path

import pytest

import mansu
import mansu.study.stages
from mansu.study.cache.stage import Stage
from mansu.study.run import Run
from tests.study.cache.calls import ALL, ANSWERS, CALLS, REPLIES, changed, keys


def test_every_stage_there_is_is_among_those_tested() -> None:
    package = mansu.study.stages
    names = [found.name for found in pkgutil.iter_modules(package.__path__)]
    modules = [importlib.import_module(f"{package.__name__}.{name}") for name in names]
    every = {v for module in modules for v in vars(module).values() if isinstance(v, Stage)}
    assert every == {stage for stage, _ in CALLS}
    assert len(ALL) == len(CALLS)


def test_another_utility_text_changes_what_is_measured_on_it(
    run: Run, before: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module("mansu.study.stages.measure")
    monkeypatch.setattr(module, "utility_text", lambda: "Another text.")
    assert changed(before, keys(run)) == ANSWERS


@pytest.mark.parametrize("name", ["torch", "transformers", "bitsandbytes"])
def test_another_version_of_a_library_that_computes_changes_every_key(
    run: Run, before: dict, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    version = importlib.metadata.version
    other = lambda asked: "9" if asked == name else version(asked)  # noqa: E731
    monkeypatch.setattr(importlib.metadata, "version", other)
    assert changed(before, keys(run)) == ALL


def test_another_version_of_any_other_library_changes_only_what_it_judges(
    run: Run, before: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    version, computing = importlib.metadata.version, ("torch", "transformers", "bitsandbytes")
    other = lambda asked: version(asked) if asked in computing else "9"  # noqa: E731
    monkeypatch.setattr(importlib.metadata, "version", other)
    assert changed(before, keys(run)) == REPLIES


def test_plugs_of_one_s_own_change_no_key_but_that_of_what_shows_them(
    run: Run, before: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("methods", "formats", "origins"):
        (tmp_path / folder).mkdir()
    (tmp_path / "methods" / "mine.py").write_text("METHOD = 1\n")
    (tmp_path / "formats" / "mine.py").write_text("FORMAT = 1\n")
    monkeypatch.setenv("MANSU_PLUGS", str(tmp_path))
    assert keys(run) == before
    text = "from mansu.study.state import Origin\nORIGIN = Origin('mine', 'mine', enter=None)\n"
    (tmp_path / "origins" / "mine.py").write_text(text)
    assert changed(before, keys(run)) == {"scorecard"}
