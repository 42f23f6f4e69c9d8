"""A wheel of the repository, where there is no checkout, runs and lays out its notebooks."""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.harness import OPTIONS

ROOT = Path(__file__).parents[1]
PARTS = ("mansu", "data", "notebooks", "papermill_runs/profiles")
PARTS += ("papermill_runs/studies", "papermill_runs/reference")
FILES = ("pyproject.toml", "setup.py", "README.md", "LICENSE", "papermill_runs/Snakefile")
Ran = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The wheel's content, in a folder of its own."""
    place = tmp_path_factory.mktemp("wheel")
    source = place / "source"
    for part in PARTS:
        skipped = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
        shutil.copytree(ROOT / part, source / part, ignore=skipped)
    for name in FILES:
        shutil.copy(ROOT / name, source / name)
    command = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    built = subprocess.run(
        [sys.executable, *command, "--wheel-dir", str(place), str(source)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    shutil.rmtree(source)  # nothing of the checkout is beside it any more
    (wheel,) = place.glob("mansu-*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(place / "site")
    return place / "site"


@pytest.fixture
def installed(site: Path, tmp_path: Path) -> Callable[..., Ran]:
    """Runs Python on the wheel alone, from a folder where nothing lies."""
    (tmp_path / "here").mkdir()
    environment = {
        **os.environ,
        "PYTHONPATH": str(site),
        "MANSU_HOME": str(tmp_path / "home"),
        "OMP_NUM_THREADS": "1",
    }

    def run(*command: str, **more: str) -> Ran:
        return subprocess.run(
            [sys.executable, *command], cwd=tmp_path / "here", env={**environment, **more},
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    return run


def test_the_wheel_is_what_is_imported_and_it_carries_the_built_in_data(installed, site) -> None:
    code = (
        "import mansu, mansu.data as d; from mansu.data.refusals import refusals; "
        "from mansu.data.poem import read_passages; print(mansu.__file__, "
        "len(d.load_fact_set('capitals').facts), len(refusals()), len(read_passages()))"
    )
    where, count, questions, passages = installed("-c", code).stdout.split()
    assert int(passages) == 72
    assert int(questions) == 128
    assert Path(where) == site / "mansu" / "__init__.py"
    assert int(count) > 100


def test_a_run_from_a_wheel_ends_with_a_scorecard(installed, tmp_path: Path) -> None:
    told = installed("-m", "mansu", "run", *OPTIONS, "--out", "results")
    assert told.returncode == 0, told.stderr
    assert (tmp_path / "here" / "results" / "scorecard.json").is_file()
    assert "verdict:" in told.stdout


def test_the_lab_of_a_wheel_lays_out_the_notebooks_and_keeps_what_was_changed(
    installed, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    for _ in range(2):
        told = installed("-m", "mansu", "lab", "--", "--version")
        assert told.returncode == 0, told.stderr
        assert f"Notebooks: {home / 'notebooks'}" in told.stdout
        mine = home / "notebooks" / "01_localize_circuit.ipynb"
        if not mine.read_text(encoding="utf-8").startswith("mine"):
            assert mine.read_bytes() == (ROOT / "notebooks" / mine.name).read_bytes()
            mine.write_text("mine", encoding="utf-8")
    assert mine.read_text(encoding="utf-8") == "mine"
    found = {p.name for p in (home / "notebooks").glob("*.ipynb")}
    assert found == {p.name for p in (ROOT / "notebooks").glob("*.ipynb")}
    assert (home / "papermill_runs" / "Snakefile").is_file()
    assert not [p for p in home.rglob("*") if p.name.startswith(".")]


def test_a_home_that_cannot_be_written_is_told_of_in_a_line(installed, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told = installed("-m", "mansu", "lab", "--", "--version", MANSU_HOME=str(tmp_path / "file"))
    assert told.returncode == 2
    assert "MANSU_HOME" in told.stderr
    assert told.stderr.count("\n") == 1
