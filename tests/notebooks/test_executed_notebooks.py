"""The six notebooks, executed by a sweep through papermill on the tiny model."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from mansu.sweep.batch import ASKED
from mansu.sweep.notebooks import OWN, SHARED

NAMES = (*SHARED, *OWN)
CHARTS = dict(zip(NAMES, (4, 5, 3, 8, 3, 8), strict=True))


def outputs(path: Path) -> Iterator[dict]:
    for cell in nbformat.read(path, as_version=4).cells:
        yield from cell.get("outputs", [])


def pages(path: Path) -> Iterator[str]:
    """Every HTML output."""
    for output in outputs(path):
        if "text/html" in output.get("data", {}):
            yield output["data"]["text/html"]


def test_shared_notebooks_lie_in_the_shared_folder_and_the_rest_in_the_run_s(swept) -> None:
    assert sorted(swept.executed) == sorted(NAMES)  # and nothing named *.failed
    for name, path in swept.executed.items():
        assert path.parent.name == ("shared" if name in SHARED else "seed0")


@pytest.mark.parametrize("name", NAMES)
def test_an_executed_notebook_holds_its_charts_as_vega_lite_and_png(swept, name: str) -> None:
    charts = [o["data"] for o in outputs(swept.executed[name]) if "image/png" in o.get("data", {})]
    assert len(charts) == CHARTS[name]
    assert all("application/vnd.vegalite.v5+json" in data for data in charts)


@pytest.mark.parametrize("name", NAMES)
def test_an_executed_notebook_has_no_widget_no_error_and_no_noise(swept, name: str) -> None:
    path = swept.executed[name]
    notebook = nbformat.read(path, as_version=4)
    assert "widgets" not in notebook.metadata
    assert notebook.metadata.papermill.exception is None
    for output in outputs(path):
        assert output["output_type"] != "error"
        assert output.get("name") != "stderr", output["text"]
        assert not [kind for kind in output.get("data", {}) if "widget" in kind]


@pytest.mark.parametrize("name", NAMES)
def test_an_executed_notebook_is_small_and_fetches_nothing(swept, name: str) -> None:
    path = swept.executed[name]
    assert path.stat().st_size < 4_000_000
    for page in pages(path):
        assert "http" not in page
        assert "src=" not in page
    for output in outputs(path):
        spec = output.get("data", {}).get("application/vnd.vegalite.v5+json")
        if spec is not None:
            text = json.dumps({key: part for key, part in spec.items() if key != "$schema"})
            assert "http" not in text
            assert '"url"' not in text


def test_markup_of_a_fact_file_is_shown_as_text(swept) -> None:
    shown = [page for path in swept.executed.values() for page in pages(path)]
    assert any("&lt;script&gt;alert(1)&lt;/script&gt;" in page for page in shown)
    for page in shown:
        assert "<script" not in page
        assert not re.search(r"<b>[A-Z][a-z]+</b>", page)


def test_the_last_cell_says_where_the_results_lie(swept) -> None:
    for path in swept.executed.values():
        text = nbformat.read(path, as_version=4).cells[-1].outputs[0]["text"]
        assert str(swept.out) in text
        assert "next:" in text


def test_the_sweep_prints_the_scorecard_and_the_path_of_every_artefact(swept) -> None:
    for word in ("accuracy", "PTQ gap", "CAD", "AS-NC", "structural"):
        assert word in swept.printed
    for path in swept.out.glob("tiny-llama/**/*"):
        if path.is_file() and not path.name.startswith("."):
            assert (str(path) in swept.printed) == (path.name != ASKED)  # a mark, no artefact


def test_a_second_sweep_recomputes_nothing_though_an_executed_notebook_was_saved(swept) -> None:
    def times() -> dict[Path, int]:
        return {p: p.stat().st_mtime_ns for p in swept.out.glob("tiny-llama/**/*")}

    path = swept.executed["01_localize_circuit"]
    path.write_text(path.read_text("utf-8") + " ", "utf-8")
    before = times()
    code, printed = swept.again()
    assert code == 0
    assert "All is up to date" in printed
    assert times() == before


def test_a_lost_scorecard_is_made_again_by_its_own_notebook_alone(swept) -> None:
    before = {name: p.stat().st_mtime_ns for name, p in swept.executed.items()}
    (swept.executed["06_cad_analysis"].parent / "scorecard.json").unlink()
    code, printed = swept.again()
    assert code == 0
    after = {name: p.stat().st_mtime_ns for name, p in swept.executed.items()}
    assert [name for name in NAMES if after[name] != before[name]] == ["06_cad_analysis"]
    assert "All is up to date" not in printed
