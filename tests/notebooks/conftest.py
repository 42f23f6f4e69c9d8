"""One sweep of the six notebooks on the tiny model; every test here looks at its results."""

import contextlib
import io
import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from mansu.sweep.batch import sweep
from mansu.sweep.places import repository

MARKUP = "<b>{}</b><script>alert(1)</script>"


@dataclass(frozen=True)
class Swept:
    """A finished sweep.

    Attributes:
        study: Its study file.
        out: Its folder.
        printed: What it said.
    """

    study: Path
    out: Path
    printed: str

    @property
    def executed(self) -> dict[str, Path]:
        """The executed notebooks by name."""
        return {p.stem: p for p in self.out.glob("tiny-llama/**/[0-9]*.ipynb")}

    def again(self) -> tuple[int, str]:
        """Sweeps once more; gives the exit code and what was said."""
        return _sweep(self.study, self.out)


@pytest.fixture(scope="session")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Swept:
    folder = tmp_path_factory.mktemp("sweep")
    study = folder / "study.yaml"
    values = {
        "study": "test",
        "models": ["tiny-llama"],
        "sets": [{"forget": str(_marked(folder)), "retain": "capitals", "utility": "cities"}],
        "set": {
            "items": 40,
            "top_k": 2,
            "pairs": 8,
            "fisher_examples": 16,
            "steps": 4,
            "validate_every": 2,
        },
    }
    study.write_text(yaml.safe_dump(values))
    code, printed = _sweep(study, folder / "out")
    assert code == 0, printed
    return Swept(study, folder / "out", printed)


def _sweep(study: Path, out: Path) -> tuple[int, str]:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = sweep(study, out=out)
    return code, said.getvalue()


def _marked(folder: Path) -> Path:
    """The elements, with markup around some of their names."""
    records = [json.loads(line) for line in _elements().splitlines()]
    facts = [record for record in records if record.get("record") == "fact"]
    for record in facts[::2]:
        record["subject"] = MARKUP.format(record["subject"])
    path = folder / "marked.jsonl"
    path.write_text("".join(json.dumps(record) + os.linesep for record in records))
    return path


def _elements() -> str:
    return (repository() / "data" / "elements.jsonl").read_text("utf-8")
