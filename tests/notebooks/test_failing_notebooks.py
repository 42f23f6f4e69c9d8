"""What is left of a notebook that fails in a sweep."""

from pathlib import Path

import nbformat
import pytest
import yaml

from mansu.errors import InputError
from mansu.sweep import batch, notebooks
from mansu.sweep.lock import holding


def study(folder: Path) -> Path:
    values = {
        "study": "failing",
        "models": ["tiny-llama"],
        "sets": [{"forget": "elements", "retain": "capitals", "utility": "cities"}],
        "set": {"top_k": 2},
    }
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def broken(source: Path) -> str:
    """A notebook that fails at once, whatever its source."""
    cells = [
        nbformat.v4.new_code_cell("seed = 0", id="p", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell("raise ValueError('no such luck')", id="c"),
    ]
    metadata = {"kernelspec": {"name": "python3", "display_name": "", "language": "python"}}
    return nbformat.writes(nbformat.v4.new_notebook(cells=cells, metadata=metadata))


def test_a_failed_notebook_is_kept_with_its_error_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(notebooks, "build", broken)
    assert batch.sweep(study(tmp_path), out=tmp_path / "out") == 1
    kept = list(tmp_path.glob("out/tiny-llama/**/*.ipynb"))
    assert [path.name for path in kept] == ["01_localize_circuit.failed.ipynb"]
    assert nbformat.read(kept[0], as_version=4).metadata.papermill.exception is True
    said = capsys.readouterr().err
    assert "01_localize_circuit failed: ValueError: no such luck" in said
    assert str(kept[0]) in said


def test_a_second_sweep_of_a_study_at_work_is_refused(tmp_path: Path) -> None:
    study_file = study(tmp_path)
    with holding(tmp_path / "out"), pytest.raises(InputError, match="Another sweep works"):
        batch.sweep(study_file, out=tmp_path / "out")
