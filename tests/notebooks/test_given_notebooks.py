"""The notebook for anyone's checkpoint, and the others of the series on such a one."""

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest

from mansu.lab.dashboards.auditing import AuditDashboard, audit
from mansu.study.run import Run
from mansu.study.stages import judge
from mansu.study.stages.floor import unlearned_model
from mansu.sweep.places import repository


@pytest.fixture(scope="module")
def given(finished_run: Run, tmp_path_factory) -> dict[str, Any]:
    """Parameters that name the finished run's model as somebody's, with its original's results."""
    place = tmp_path_factory.mktemp("given")
    with unlearned_model(finished_run) as model:
        model.module.save_pretrained(place / "model")
        model.tokenizer.save_pretrained(place / "model")
    shutil.copytree(finished_run.shared, place / "shared")
    values = dataclasses.asdict(finished_run.config)
    values |= {"method": "given", "settings": {"checkpoint": str(place / "model")}, "floor": ""}
    return values | {"out": str(place / "run"), "shared": str(place / "shared")}


def outputs(name: str, parameters: dict[str, Any], executed: Path) -> list[Any]:
    """What a notebook shows under papermill."""
    papermill.execute_notebook(
        str(repository() / "notebooks" / f"{name}.ipynb"),
        str(executed),
        parameters=parameters,
        kernel_name="python3",
        progress_bar=False,
    )
    cells = nbformat.read(executed, as_version=4).cells
    return [output for cell in cells for output in cell.get("outputs", [])]


def test_the_notebook_prints_the_verdict_of_the_run_that_made_the_checkpoint(
    given: dict[str, Any], finished_run: Run, tmp_path: Path
) -> None:
    own = {**given, "checkpoint": given["settings"]["checkpoint"], "settings": {}}
    shown = str(outputs("08_audit", own, tmp_path / "executed.ipynb"))
    card = judge(finished_run)
    assert f"The verdict: {card.word}" in shown
    assert all(verdict.reason.split(";")[0][:40] in shown for verdict in card.verdicts)


@pytest.mark.parametrize("name", ["03_train", "04_floor", "05_quantize", "06_cad_analysis"])
def test_the_series_shows_a_checkpoint_that_it_did_not_train(
    name: str, given: dict[str, Any], tmp_path: Path
) -> None:
    shown = outputs(name, given, tmp_path / "executed.ipynb")
    assert any("image/png" in output.get("data", {}) for output in shown)


def test_without_a_checkpoint_the_notebook_says_how_to_name_one(capsys) -> None:
    audit({"model": "tiny-llama"})
    assert "papermill -p checkpoint FOLDER" in capsys.readouterr().out


def test_the_form_judges_what_it_names_and_says_what_is_wrong_with_it(
    given: dict[str, Any], finished_run: Run
) -> None:
    taken = {"method", "settings", "floor", "out", "shared"}
    own = {name: value for name, value in given.items() if name not in taken}
    form = AuditDashboard({**own, "checkpoint": ""}, given["out"] + "-forms")
    form.job.start.click()
    assert form.job.wait(60)
    assert "checkpoint: name the unlearned model" in form.job.words.text
    form.fields["checkpoint"].value = str(finished_run.folder)
    form.job.start.click()
    assert form.job.wait(60)
    assert "has no config.json" in form.job.words.text or "not a model" in form.job.words.text
    form.fields["checkpoint"].value = given["settings"]["checkpoint"]
    form.job.start.click()
    assert form.job.wait(300)
    assert form.card is not None, form.job.words.text
    assert form.card.verdicts == judge(finished_run).verdicts
