"""A shipped notebook in the tools that others use, without a flag and wherever one stands."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from mansu.paths import cache_folder
from mansu.sweep.places import repository

NOTEBOOK = repository() / "notebooks" / "01_localize_circuit.ipynb"
SMALL = {"model": "tiny-llama", "top_k": 1, "pairs": 4, "ig_steps": 1}


def run(folder: Path, *command: str) -> None:
    """Runs a tool in a folder; no kernel is registered but by the environment itself."""
    places = {"JUPYTER_DATA_DIR": str(folder / "data"), "MANSU_CACHE": str(cache_folder())}
    environment = {k: v for k, v in os.environ.items() if k != "JUPYTER_PATH"} | places
    command = (sys.executable, "-m", *command)
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def assert_ran(path: Path) -> None:
    """Every code cell was executed, and the last says where the results lie."""
    cells = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    assert all(cell.execution_count for cell in cells)
    assert "next:" in cells[-1].outputs[0]["text"]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the results that the tools share."""
    return tmp_path_factory.mktemp("plain") / "run"


def test_papermill_runs_a_shipped_notebook_as_it_is(tmp_path: Path, results: Path) -> None:
    given = [word for name, value in SMALL.items() for word in ("-p", name, str(value))]
    run(tmp_path, "papermill", str(NOTEBOOK), "out.ipynb", *given, "-p", "out", str(results))
    assert_ran(tmp_path / "out.ipynb")


def test_nbconvert_executes_a_shipped_notebook_as_it_is(tmp_path: Path, results: Path) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    (cell,) = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])]
    cell.source += "".join(f"\n{k} = {v!r}" for k, v in {**SMALL, "out": str(results)}.items())
    nbformat.write(notebook, tmp_path / "small.ipynb")
    run(tmp_path, "nbconvert", "--execute", "--to", "notebook", "--inplace", "small.ipynb")
    assert_ran(tmp_path / "small.ipynb")
