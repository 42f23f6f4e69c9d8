"""Opening a run from a notebook's parameters."""

import dataclasses
from pathlib import Path

import pytest

from mansu.errors import InputError
from mansu.lab.open import open_run, parameters
from mansu.study.config import StudyConfig
from mansu.sweep.places import repository

FIELDS = dataclasses.asdict(StudyConfig(model="tiny-llama", top_k=2))  # pyright: ignore


def test_a_notebook_s_variables_are_narrowed_to_its_parameters() -> None:
    namespace = {**FIELDS, "out": "", "shared": "", "other": 1, "_": None}
    assert parameters(namespace) == {**FIELDS, "out": "", "shared": ""}


def test_a_setting_in_short_is_taken_as_papermill_gives_it_and_no_other_variable_is() -> None:
    namespace = {**FIELDS, "out": "", "shared": "", "steps": 5, "tau": [0.5], "beta_": 1}
    assert parameters(namespace) == {**FIELDS, "out": "", "shared": "", "steps": 5}
    other = parameters({**namespace, "method": "npo", "settings": {}, "rho": 0.5})
    with pytest.raises(InputError, match="rho: npo has no such setting"):
        open_run(**other)


def test_a_skipped_parameters_cell_is_named() -> None:
    with pytest.raises(InputError, match=r"parameters cell.*\bseed\b"):
        parameters({name: value for name, value in FIELDS.items() if name != "seed"})


def test_a_run_given_a_folder_keeps_everything_in_it(tmp_path: Path) -> None:
    run = open_run(out=str(tmp_path / "run"), **FIELDS)
    assert (run.folder, run.shared) == (tmp_path / "run", tmp_path / "run" / "shared")
    assert not run.folder.exists()


def test_two_runs_can_be_given_one_shared_folder(tmp_path: Path) -> None:
    run = open_run(out=str(tmp_path / "run"), shared=str(tmp_path / "both"), **FIELDS)
    assert run.shared == tmp_path / "both"


def test_a_run_without_a_folder_lies_in_the_default_study_wherever_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = open_run(**FIELDS)
    place = (
        repository() / "papermill_runs" / "default" / "tiny-llama" / "capitals+us_cities-continents"
    )
    assert run.shared == place / "shared"
    assert run.folder == place / "mansu-top_k=2" / "seed0"


def test_a_shared_folder_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="give out as well"):
        open_run(shared=str(tmp_path), **FIELDS)


def test_an_unknown_parameter_is_refused() -> None:
    with pytest.raises(InputError, match="'colour' is not a configuration key"):
        open_run(colour="red", **FIELDS)
