"""A notebook of a method that has no result ends with the reason, and a sweep goes on from it."""

import subprocess
import sys
from pathlib import Path

import nbformat

from mansu.study.scorecard import read_scorecard
from mansu.sweep.places import repository
from tests.study.small_sets import FAST, fitting, write_sets

SOURCE = repository() / "notebooks" / "06_cad_analysis.ipynb"


def test_a_notebook_whose_method_has_no_result_ends_well_with_the_reason(tmp_path: Path) -> None:
    values = fitting({**FAST, **write_sets(tmp_path), "method": "lunar"})
    given = {**values, "out": tmp_path / "run"}
    words = [word for field, value in given.items() for word in ("-p", field, str(value))]
    executed = tmp_path / "executed.ipynb"
    command = [sys.executable, "-m", "papermill", str(SOURCE), str(executed), *words]
    # As a sweep calls it: whatever does not end with 0 stops it.
    ended = subprocess.run(command, capture_output=True, text=True, cwd=SOURCE.parent, check=False)
    assert ended.returncode == 0, ended.stderr
    cells = [c for c in nbformat.read(executed, as_version=4).cells if c.cell_type == "code"]
    ran = [cell for cell in cells if cell.execution_count]
    (told,) = ran[-1].outputs
    assert "the model has no refusal direction" in "".join(told["traceback"])
    assert len(ran) < len(cells)
    card = read_scorecard(tmp_path / "run" / "scorecard.json")
    assert card is not None
    assert card.word == "no refusal direction"
