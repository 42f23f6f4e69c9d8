"""A configuration is checked before anything is computed, loaded, trained or converted."""

import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from mansu.models import loading, packaged, tiny
from mansu.models.recipes import PACKAGED, TINY
from mansu.paths import cache_folder
from mansu.study.config import StudyConfig
from mansu.study.folders import Folders, study_folders
from mansu.study.run import Run
from mansu.sweep import batch
from mansu.sweep.grid import expand, read_study

# Ends with the command's own code and says which of the libraries that compute were imported.
COMMAND = """
import sys
from mansu.cli import main
code = main(sys.argv[1:])
print([name for name in ("torch", "transformers", "numpy", "pandas") if name in sys.modules])
sys.exit(code)
"""


def command(*words: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", COMMAND, *words],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("model", [*TINY, "own folder"])
def test_a_circuit_larger_than_the_model_is_refused_before_anything_that_computes_is_imported(
    model: str, tmp_path: Path, model_folder: Path
) -> None:
    name = str(model_folder) if model == "own folder" else model
    words = ["run", "--model", name, "--top-k", "999", "--out", str(tmp_path / "out")]
    ended = command(*words, MANSU_CACHE=str(tmp_path / "cache"))
    assert ended.returncode == 2, ended.stderr
    assert ended.stdout == "[]\n"
    assert ended.stderr == (
        "mansu: top_k: the model has 4 MLP sublayers, so the circuit cannot have 999; "
        "lower top_k.\n"
    )
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "cache").exists()  # so nothing was trained either


@pytest.fixture
def no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails the test when weights are loaded, hashed, trained or converted."""

    def fail(what: str) -> Any:
        return lambda *given, **named: pytest.fail(f"weights were {what}")

    monkeypatch.setattr(loading.AutoModelForCausalLM, "from_pretrained", fail("loaded"))
    monkeypatch.setattr(loading, "hash_files", fail("hashed"))
    monkeypatch.setattr(tiny, "_build", fail("trained"))
    monkeypatch.setattr(packaged, "_convert", fail("converted"))


def opened(config: StudyConfig, folder: Path) -> Run:
    run = Run(config, Folders(folder / "run", folder / "shared"))
    assert not (folder / "run").exists()
    return run


@pytest.mark.usefixtures("no_weights")
@pytest.mark.parametrize("name", TINY)
def test_a_tiny_model_that_is_not_trained_yet_is_opened_without_being_trained(
    name: str, tiny_config: StudyConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MANSU_CACHE", str(tmp_path / "cache"))
    opened(dataclasses.replace(tiny_config, model=name), tmp_path)
    assert list((tmp_path / "cache").rglob("tokenizer.json"))
    assert not list((tmp_path / "cache").rglob("*.safetensors"))


@pytest.mark.usefixtures("no_weights")
def test_a_model_in_a_folder_is_opened_without_its_weights(
    tiny_config: StudyConfig, model_folder: Path, tmp_path: Path
) -> None:
    opened(dataclasses.replace(tiny_config, model=str(model_folder)), tmp_path)


@pytest.mark.parametrize("name", PACKAGED)
def test_a_packaged_model_is_opened_without_its_weights(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    place = cache_folder() / "models"
    if not any(path.is_dir() for path in place.glob(f"{name}-*")):
        pytest.skip("this model has never been converted here")
    bare = packaged.packaged_folder(name, weights=False)
    kept = bare.relative_to(cache_folder())
    shutil.copytree(bare, tmp_path / "cache" / kept)
    monkeypatch.setenv("MANSU_CACHE", str(tmp_path / "cache"))
    request.getfixturevalue("no_weights")
    opened(StudyConfig(model=name), tmp_path)
    configurations = list((tmp_path / "cache").rglob("config.json"))
    assert configurations == [tmp_path / "cache" / kept / "config.json"]


@pytest.mark.usefixtures("no_weights")
def test_a_study_of_a_hundred_cells_is_checked_without_weights_and_reads_a_tokenizer_once_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    tokenizer = loading.AutoTokenizer.from_pretrained
    noted = lambda folder, **given: read.append(folder) or tokenizer(folder, **given)  # noqa: E731
    monkeypatch.setattr(loading.AutoTokenizer, "from_pretrained", noted)
    loading._tokenizer.cache_clear()
    values = {
        "study": "hundred",
        "models": [*TINY][:2],
        "sets": [{"forget": "elements", "retain": "capitals", "utility": "cities"}],
        "variants": [{"rho": rho} for rho in (0.01, 0.02, 0.03, 0.04, 0.05)],
        "seeds": list(range(10)),
        "set": {"top_k": 2},
    }
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(values))
    study = read_study(tmp_path / "study.yaml")
    plan = batch.Sweep(study, tmp_path / "out", tuple(expand(study)))
    assert len(plan.configs) == 100
    batch._check_runs(plan)
    assert len(read) == len(set(read)) == 2
    assert not (tmp_path / "out").exists()
    worst = dataclasses.replace(plan.configs[-1], top_k=99)
    with pytest.raises(ValueError, match="cannot have 99"):
        Run(worst, study_folders(worst, tmp_path))
