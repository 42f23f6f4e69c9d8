"""The teaching notebook, and its edition for students, executed on the tiny model."""

import dataclasses

import nbformat
import papermill

from mansu.lab.student import EMPTY, without_solutions
from mansu.sweep.notebooks import build
from mansu.sweep.places import repository

SOURCE = repository() / "notebooks" / "00_dual_failure.py"
TITLES = [
    "What quantization does to the answers",
    "One weight among the 16 bins of its block",
    "How large the updates are, measured in bins",
]


def execute(text: str, run, tmp_path):
    written, executed = tmp_path / "written.ipynb", tmp_path / "executed.ipynb"
    written.write_text(text, encoding="utf-8")
    given = {"out": str(run.folder), "shared": str(run.shared)}
    given |= {"formats": list(run.config.formats)}  # papermill would write a tuple as text
    papermill.execute_notebook(
        str(written),
        str(executed),
        parameters=dataclasses.asdict(run.config) | given,
        kernel_name="python3",
        progress_bar=False,
    )
    assert executed.stat().st_size < 3_000_000
    cells = nbformat.read(executed, as_version=4).cells
    return cells, [output for cell in cells for output in cell.get("outputs", [])]


def test_in_a_batch_every_question_is_answered_by_the_runs_at_hand(dual_run, tmp_path):
    _, outputs = execute(build(SOURCE), dual_run, tmp_path)
    pictures = [output["data"] for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 7  # five questions, two pictures of a block
    for title in TITLES:
        assert any(title in data["text/plain"] for data in pictures)
    printed = "".join(output.get("text", "") for output in outputs)
    assert printed.count("  → ") == 5
    assert "application/vnd.jupyter.widget-view+json" not in str(outputs)
    configs = dual_run.shared.parent.glob("*/seed0/config.json")
    assert {path.parent.parent.name.split("-")[0] for path in configs} == {"ga", "npo"}


def test_the_students_edition_lacks_the_solutions_and_still_runs(dual_run, tmp_path):
    text = without_solutions(build(SOURCE))
    assert text is not None
    assert "nearest" in build(SOURCE)
    assert "argmin" not in text
    cells, _ = execute(text, dual_run, tmp_path)
    solutions = SOURCE.read_text(encoding="utf-8").count('tags=["solution"]')
    assert sum(cell.source == EMPTY for cell in cells) == solutions > 2


def test_a_notebook_without_solutions_has_no_students_edition():
    assert without_solutions(build(SOURCE.with_name("01_localize_circuit.py"))) is None
