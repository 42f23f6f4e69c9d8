"""The notebook beside the series, executed on a finished run of the tiny model."""

import dataclasses
import shutil

import nbformat
import papermill

from mansu.sweep.places import repository


def test_the_quality_notebook_reads_a_finished_run_and_shows_its_charts(finished_run, tmp_path):
    place = shutil.copytree(finished_run.folder.parent, tmp_path / "study")
    folders = {"out": str(place / "run"), "shared": str(place / "shared")}
    executed = tmp_path / "executed.ipynb"
    papermill.execute_notebook(
        str(repository() / "notebooks" / "07_circuit_quality.ipynb"),
        str(executed),
        parameters=dataclasses.asdict(finished_run.config) | folders,
        kernel_name="python3",
        progress_bar=False,
    )
    cells = nbformat.read(executed, as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 4
    assert any("exact patching" in str(output.get("data", {})) for output in outputs)
    assert list((place / "shared").glob("quality-*.safetensors"))
