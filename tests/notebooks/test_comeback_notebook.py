"""Notebook 09, executed on a finished run of the tiny model."""

import dataclasses
import shutil

import nbformat
import papermill

from mansu.study.state import format_title
from mansu.sweep.comeback import shown_map
from mansu.sweep.places import repository


def test_the_comeback_notebook_shows_a_run_in_its_formats_and_the_map_if_there_is_one(
    finished_run, tmp_path
) -> None:
    place = shutil.copytree(finished_run.folder.parent, tmp_path / "study")
    folders = {"out": str(place / "run"), "shared": str(place / "shared")}
    config = dataclasses.asdict(finished_run.config) | {"formats": ["bf16", "nf4"]}
    executed = tmp_path / "executed.ipynb"
    papermill.execute_notebook(
        str(repository() / "notebooks" / "09_comeback.ipynb"),
        str(executed),
        parameters=config | folders,
        kernel_name="python3",
        progress_bar=False,
    )
    cells = nbformat.read(executed, as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    charts = sum("image/png" in output.get("data", {}) for output in outputs)
    assert shown_map("formats")
    assert charts == (5 if shown_map("comeback") else 3)
    account = next(o["data"]["text/html"] for o in outputs if "text/html" in o.get("data", {}))
    assert "signal" in account
    assert format_title("bf16") in account
    assert list((place / "run").glob("rounding*.json"))
