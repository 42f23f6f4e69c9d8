"""What holds however mansu is entered: torch's threads yield the core, and nothing is said."""

import ast
import logging
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

import mansu
from mansu.lab import server
from mansu.sweep.notebooks import sources
from tests.faults.harness import run
from tests.test_install import made

# Says what OpenMP is told, at the moment when torch is about to be loaded.
SPY = """
import os, sys
class Spy:
    def find_spec(self, name, *_):
        if name == "torch":
            sys.meta_path.remove(self)
            print(os.environ.get("OMP_WAIT_POLICY"))
sys.meta_path.insert(0, Spy())
"""
ENTRANCES = {
    "the package": "import mansu, torch",
    "a notebook": "import mansu.lab.open",
    "Python": "from mansu.study import Run; import torch",
    "the command line": "import runpy; runpy.run_module('mansu.cli.commands'); import torch",
    "a sweep": "import mansu.sweep.batch, torch",
    "the served pages": "import mansu.lab.server, torch",
}


def waits(code: str, **given: str) -> str:
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"} | given
    command = [sys.executable, "-c", SPY + code]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return ended.stdout.strip()


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_a_waiting_thread_does_not_spin_whatever_loads_torch(entrance: str) -> None:
    assert waits(ENTRANCES[entrance]) == "PASSIVE"


def test_the_user_s_own_word_on_waiting_counts() -> None:
    assert waits("import mansu.lab.open", OMP_WAIT_POLICY="ACTIVE") == "ACTIVE"


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.stem)
def test_a_notebook_imports_mansu_before_anything_that_loads_torch(source: Path) -> None:
    cells = nbformat.read(source.with_suffix(".ipynb"), as_version=4).cells
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    imports = (n for n in ast.walk(ast.parse(code)) if isinstance(n, ast.Import | ast.ImportFrom))
    assert ast.unparse(next(imports)).startswith(("from mansu.", "import mansu"))


@pytest.mark.parametrize("opens", [server.open_lab, server.serve_pages])
def test_jupyter_and_its_kernels_are_told_too(opens, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}

    def started(_command, env: dict[str, str], **_rest) -> subprocess.CompletedProcess:
        seen.update(env)
        return subprocess.CompletedProcess([], 0)

    monkeypatch.setattr(subprocess, "run", started)
    assert opens() == 0
    assert seen["OMP_WAIT_POLICY"] == os.environ["OMP_WAIT_POLICY"]
    kernels, *_, templates = seen["JUPYTER_PATH"].split(os.pathsep)
    assert (Path(kernels) / "kernels" / "python3" / "kernel.json").is_file()
    assert (Path(templates) / "voila").is_dir()


def test_every_command_of_the_makefile_is_told(tmp_path: Path) -> None:
    show = ("--eval", "show:; @echo $$OMP_WAIT_POLICY", "show")
    assert made(tmp_path, *show) == "PASSIVE\n"
    assert made(tmp_path, *show, OMP_WAIT_POLICY="ACTIVE") == "ACTIVE\n"


def test_bitsandbytes_is_kept_from_telling_of_one_package_and_of_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert mansu
    log = logging.getLogger("bitsandbytes.backends.cpu.ops")
    log.warning("Failed to load CPU gemm_4bit_forward from kernels-community: %s.", "none")
    log.warning("something else")
    assert [record.message for record in caplog.records] == ["something else"]


def test_a_run_says_nothing_on_standard_error(tmp_path: Path) -> None:
    ended = run(tmp_path / "run")
    assert ended.code == 0
    # Two words of transformers 5.24 on a keyword that metrics still gives.
    known = ("past_key_values", "forward_call")
    assert [line for line in ended.err.splitlines() if not any(w in line for w in known)] == []
