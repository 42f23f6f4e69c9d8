"""Where a sweep runs: profiles by name or folder."""

from pathlib import Path

import pytest

from mansu.cli import main
from mansu.errors import InputError
from mansu.sweep import batch
from mansu.sweep.places import repository
from mansu.sweep.profiles import find_profile

KNOWN = repository() / "papermill_runs" / "profiles"
FAST = str(repository() / "papermill_runs" / "studies" / "fast.yaml")


def profile(folder: Path, text: str) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "config.yaml").write_text(text)
    return str(folder)


@pytest.mark.parametrize("text", ["executor: local", "keep-going: true", ""])
def test_a_folder_of_one_s_own_is_a_profile(tmp_path: Path, text: str) -> None:
    assert find_profile(KNOWN, profile(tmp_path / "own", text)) == tmp_path / "own"


def test_the_slurm_profile_is_known_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mansu.sweep.profiles.find_spec", lambda _name: True)
    assert find_profile(KNOWN, "slurm") == KNOWN / "slurm"


def test_a_profile_for_what_is_not_installed_names_the_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mansu.sweep.profiles.find_spec", lambda _name: None)
    with pytest.raises(InputError, match="pip install snakemake-executor-plugin-slurm"):
        find_profile(KNOWN, "slurm")


@pytest.mark.parametrize(
    "text",
    [
        *("[1, 2]", "a: [", "words", "- x", "executor: a.b", "executor: [1]"),
        *("executor: !!timestamp x", "executor: !!bool x", "jobs: !!int x", "a: " + "[" * 5000),
    ],
)
def test_a_file_that_is_no_profile_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError):
        find_profile(KNOWN, profile(tmp_path / "own", text))


def test_a_profile_that_names_what_it_runs_on_twice_is_refused(tmp_path: Path) -> None:
    text = "executor: local\nexecutor: slurm\n"
    with pytest.raises(InputError, match=r"config\.yaml gives the key 'executor' twice"):
        find_profile(KNOWN, profile(tmp_path / "own", text))


@pytest.mark.parametrize("name", ["nope", "", ".", "/proc/nohome", "slurm/config.yaml"])
def test_an_unknown_profile_ends_with_one_line_that_names_the_known_ones(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sweep", FAST, "--profile", name]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "local, slurm" in said


def test_the_command_line_hands_the_profile_to_snakemake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = profile(tmp_path / "own", "keep-going: true")
    commands = []
    monkeypatch.setattr(batch, "_print_plan", lambda command, _: commands.append(command) or 0)
    monkeypatch.setattr(batch, "repository", lambda: _with_sources(tmp_path))
    assert main(["sweep", FAST, "--profile", own, "--dry-run"]) == 0
    (command,) = commands
    assert command[command.index("--profile") + 1] == own


def _with_sources(folder: Path) -> Path:
    """A repository whose results nobody else sees."""
    for name in ("notebooks", "papermill_runs"):
        (folder / name).mkdir(exist_ok=True)
    return folder
