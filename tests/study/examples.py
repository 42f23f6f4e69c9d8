"""CONTRIBUTING's worked examples, to be executed."""

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

from mansu.sweep.places import repository


def example(value: str) -> str:
    """The example that ends with such a value: ``METHOD``, ``FORMAT``, ``TABLE`` …"""
    text = (repository() / "CONTRIBUTING.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    found = [textwrap.dedent(block) for block in blocks if re.search(rf"^ *{value} =", block, re.M)]
    assert len(found) == 1, value
    return found[0]


def run_plugged(plugs: Path, *words: str, cwd: Path | None = None) -> str:
    """What ``python -m WORDS`` prints, in a process of its own that knows a folder of plugs."""
    ended = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=cwd,
        env={**os.environ, "MANSU_PLUGS": str(plugs), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def shown_in(notebook: str, plugs: Path, place: Path, *given: str) -> list[str]:
    """The outputs of a notebook's cells, executed by papermill with plugs, as JSON texts."""
    executed = place / "out.ipynb"
    words = ("papermill", f"{notebook}.ipynb", str(executed), *given)
    run_plugged(plugs, *words, cwd=repository() / "notebooks")
    cells = json.loads(executed.read_text(encoding="utf-8"))["cells"]
    return [json.dumps(cell["outputs"]) for cell in cells if cell.get("outputs")]
