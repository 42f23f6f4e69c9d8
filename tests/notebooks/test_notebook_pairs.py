"""The committed notebooks: in step with their sources and with the configuration."""

import ast
import subprocess
import sys
from pathlib import Path

import nbformat
import papermill
import pytest

from mansu.registry import plugs
from mansu.study.config import FIELDS, StudyConfig, own_fields
from mansu.study.own_settings import METHODS
from mansu.sweep.notebooks import BESIDE, OWN, SHARED, build, parameters_cell, sources
from mansu.sweep.places import repository

FOLDER = repository() / "notebooks"
NAMES = sorted((*SHARED, *OWN, *BESIDE))


def parameter_lines(name: str) -> str:
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    tagged = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])]
    assert len(tagged) == 1
    return tagged[0].source


def test_every_notebook_belongs_to_the_series() -> None:
    assert [source.stem for source in sources()] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_what_its_source_makes_byte_for_byte(name: str) -> None:
    assert (FOLDER / f"{name}.ipynb").read_text("utf-8") == build(FOLDER / f"{name}.py")


@pytest.mark.parametrize("name", NAMES)
def test_the_parameters_are_the_configuration_s_fields_and_the_folders(name: str) -> None:
    lines = parameter_lines(name)
    assert lines == parameters_cell()
    values: dict = {}
    exec(lines, values)  # noqa: S102 (our own notebook)
    expected = {field.name: getattr(StudyConfig(), field.name) for field in FIELDS}
    expected |= {"settings": {}, "floor": "", "out": "", "shared": ""}  # the method's own
    expected |= {n: list(v) for n, v in expected.items() if isinstance(v, tuple)}  # as papermill
    assert {name: values[name] for name in expected} == expected
    assert len(lines.splitlines()) == len(expected)


@pytest.mark.parametrize("name", NAMES)
def test_papermill_documents_every_parameter(name: str) -> None:
    found = papermill.inspect_notebook(str(FOLDER / f"{name}.ipynb"))
    assert list(found) == [*(field.name for field in FIELDS), "out", "shared"]
    assert all(entry["help"] and entry["inferred_type_name"] != "None" for entry in found.values())


@pytest.mark.parametrize("name", NAMES)
def test_no_cell_hides_a_parameter_behind_a_variable_of_its_own(name: str) -> None:
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    # A method's setting may be given in short.
    own = {field.name for method in plugs(METHODS) for field in own_fields(method)}
    taken = {field.name for field in FIELDS} | {"out", "shared"} | own
    for cell in notebook.cells:
        if cell.cell_type != "code" or "parameters" in cell.metadata.get("tags", []):
            continue
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                assert node.id not in taken
            if isinstance(node, ast.alias):
                assert (node.asname or node.name) not in taken


@pytest.mark.parametrize("name", NAMES)
def test_a_committed_notebook_holds_no_output_and_leaves_a_place_to_explore(name: str) -> None:
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    assert notebook.metadata.kernelspec.name == "python3"
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
    places = sum(cell.source.startswith("## Explore") for cell in notebook.cells)
    assert places == (0 if name in BESIDE else 1)


def test_stripping_the_committed_notebooks_changes_nothing(tmp_path: Path) -> None:
    copies = []
    for name in NAMES:
        copies.append(tmp_path / f"{name}.ipynb")
        copies[-1].write_bytes((FOLDER / f"{name}.ipynb").read_bytes())
    command = [sys.executable, "-m", "nbstripout", "--keep-id", *map(str, copies)]
    subprocess.run(command, check=True)
    for copy in copies:
        assert copy.read_bytes() == (FOLDER / copy.name).read_bytes()
