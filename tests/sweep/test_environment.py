"""What a sweep's programs see, and where they keep what they hide."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from stat import S_IMODE

import nbformat
import pytest
import yaml

from mansu.errors import RunError
from mansu.paths import cache_folder
from mansu.sweep import batch, notebooks
from mansu.sweep.environment import KERNELS, server_environment, sweep_environment
from mansu.sweep.watch import last_words

TELL = """
import json, os
with open(os.path.join(shared, "seen.json"), "w") as file:
    json.dump(dict(os.environ), file)
raise SystemError("told")
"""
# How a home folder can be missing: never there, not a folder, not to be written, not named at all.
NO_HOMES: dict[str, Callable[[Path], str | None]] = {
    "missing": lambda _: "/proc/nohome",
    "file": lambda folder: str(folder / "file"),
    "read-only": lambda _: "/proc",
    "unset": lambda _: None,
    "empty": lambda _: "",
}


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study whose notebooks tell what they see, and end."""

    def telling(_source: Path) -> str:
        parameters = nbformat.v4.new_code_cell(
            "shared = ''", id="p", metadata={"tags": ["parameters"]}
        )
        metadata = {"kernelspec": {"name": "python3", "display_name": "", "language": "python"}}
        cells = [parameters, nbformat.v4.new_code_cell(TELL, id="c")]
        return nbformat.writes(nbformat.v4.new_notebook(cells=cells, metadata=metadata))

    monkeypatch.setattr(notebooks, "build", telling)
    monkeypatch.setenv("MANSU_CACHE", os.path.relpath(cache_folder().resolve()))
    (tmp_path / "file").touch()
    values = {
        "study": "telling",
        "models": ["tiny-llama"],
        "sets": [{"forget": "elements", "retain": "capitals", "utility": "cities"}],
        "set": {"top_k": 2},
    }
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def seen(out: Path) -> dict[str, str]:
    """What the one notebook that ran saw of the environment."""
    (path,) = out.rglob("seen.json")
    return json.loads(path.read_text())


def set_home(monkeypatch: pytest.MonkeyPatch, home: str | None) -> None:
    if home is None:
        monkeypatch.delenv("HOME")
    else:
        monkeypatch.setenv("HOME", home)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)


@pytest.mark.parametrize("umask", [0o002, 0o077], ids=oct)
def test_a_sweep_writes_nothing_into_the_home_folder_and_follows_the_umask(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, umask: int
) -> None:
    home, out = tmp_path / "home", tmp_path / "out"
    home.mkdir()
    set_home(monkeypatch, str(home))
    before = os.umask(umask)
    try:
        assert batch.sweep(study, out=out) == 1
    finally:
        os.umask(before)
    assert list(home.iterdir()) == []
    for path in out.rglob("*"):
        whole = 0o777 if path.is_dir() else 0o666
        assert S_IMODE(path.stat().st_mode) == whole & ~umask, path
    told = seen(out)
    assert told["OMP_WAIT_POLICY"] == os.environ["OMP_WAIT_POLICY"]
    assert told["MANSU_CACHE"] == str(cache_folder().resolve())
    assert not Path(told["JUPYTER_RUNTIME_DIR"]).exists()  # it held the kernel's key


@pytest.mark.parametrize("kind", NO_HOMES)
def test_a_sweep_needs_no_home_folder(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, kind: str
) -> None:
    set_home(monkeypatch, NO_HOMES[kind](tmp_path))
    assert batch.sweep(study, out=tmp_path / "out", dry_run=True) == 0
    assert "01_localize_circuit" in capsys.readouterr().out
    if kind == "missing":  # through the notebooks too
        assert batch.sweep(study, out=tmp_path / "out") == 1
        assert seen(tmp_path / "out")["HOME"] == "/proc/nohome"
        assert "SystemError: told" in capsys.readouterr().err


@pytest.mark.parametrize("kind", NO_HOMES)
def test_a_server_without_a_home_folder_is_given_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("MANSU_CACHE", "cache")
    set_home(monkeypatch, str(tmp_path))
    assert server_environment("stand-in") == dict(os.environ)
    (tmp_path / "file").touch()
    home = NO_HOMES[kind](tmp_path)
    if home in ("/proc/nohome", str(tmp_path / "file")):
        set_home(monkeypatch, home)
        found = server_environment("stand-in")
        assert found["HOME"] == "stand-in"
        assert found["MANSU_CACHE"] == str(Path("cache").resolve())


def test_models_stay_where_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MANSU_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = sweep_environment(Path("hidden"))
    assert found["MANSU_CACHE"] == str(tmp_path / "mansu")
    assert found["XDG_CACHE_HOME"] == "hidden/cache"


def test_the_kernel_is_the_python_that_started_jupyter() -> None:
    spec = json.loads((KERNELS / "kernels" / "python3" / "kernel.json").read_text())
    assert spec["argv"][0] == "python"  # which Jupyter takes for its own


@pytest.mark.parametrize(
    ("log", "told"),
    [
        (
            "Using profile x.\nTraceback (most recent call last):\n\n"
            '  File "cli.py", line 2, in args_to_api\n    cache = Cache(\n            ^^^^^\n\n'
            "FileNotFoundError: [Errno 2] No such file: '/proc/nohome'\n",
            "FileNotFoundError: [Errno 2] No such file: '/proc/nohome'",
        ),
        ("usage: x [-h]\n         [--y]\n\nx: error: no option --z\n", "x: error: no option --z"),
        ("WorkflowError:\nFailed to open x\n  deeper\n", "WorkflowError: Failed to open x"),
        ("Building.\nKilled\n", "Killed"),
        ("", "it said nothing"),
    ],
)
def test_snakemake_s_last_words_are_told_without_its_traceback(log: str, told: str) -> None:
    assert last_words(log) == told


def test_snakemake_that_cannot_start_is_told_in_one_line(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def blocked(hidden: Path) -> dict[str, str]:
        return sweep_environment(hidden) | {"XDG_CACHE_HOME": "/proc/nohome"}

    monkeypatch.setattr(batch, "sweep_environment", blocked)
    for dry_run in (True, False):
        with pytest.raises(RunError, match="FileNotFoundError") as told:
            batch.sweep(study, out=tmp_path / "out", dry_run=dry_run)
        assert "File " not in str(told.value)
        assert "Traceback" not in str(told.value)
