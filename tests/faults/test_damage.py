"""Results and models damaged in the middle: made again or refused, never believed."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mansu.cli import main
from mansu.errors import InputError
from mansu.models import load_model
from mansu.models.tiny import tiny_folder
from mansu.study.folders import Folders
from mansu.study.pipeline import run_study
from mansu.study.run import Run
from mansu.study.scorecard import Scorecard
from tests.conftest import numbers
from tests.faults.harness import OPTIONS

RESULTS = (
    *("items-*.json", "scores-*.safetensors", "circuit.json", "fisher-*.safetensors"),
    *("trained.safetensors", "delta.safetensors", "behaviour-*.safetensors"),
    *("attribution-*.safetensors", "scorecard.json"),
)


def flip(content: bytearray, draw: random.Random) -> None:
    """Alters one bit in each of a few bytes around the middle."""
    for _ in range(3):
        content[draw.randrange(len(content) // 4, 3 * len(content) // 4)] ^= 1 << draw.randrange(8)


def cut(content: bytearray, draw: random.Random) -> None:
    """Loses the end."""
    del content[draw.randrange(len(content)) :]


def blank(content: bytearray, draw: random.Random) -> None:
    """Zeroes a stretch, as a disk that lost a block does."""
    start = draw.randrange(len(content))
    stop = min(len(content), start + 4096)
    content[start:stop] = bytes(stop - start)


def damage(path: Path, how: Callable, seed: int) -> None:
    content = bytearray(path.read_bytes())
    how(content, random.Random(seed))
    path.write_bytes(content)


@pytest.fixture
def copied(finished_run, tmp_path: Path) -> Folders:
    """A copy of the finished run."""
    folders = Folders(tmp_path / "run", tmp_path / "shared")
    shutil.copytree(finished_run.folder, folders.run)
    shutil.copytree(finished_run.shared, folders.shared)
    return folders


def files(folders: Folders, pattern: str) -> list[Path]:
    found = [path for folder in (folders.run, folders.shared) for path in folder.glob(pattern)]
    assert found, pattern
    return found


def test_a_run_with_damage_in_every_kind_of_result_ends_the_same(
    finished_run, copied: Folders, card: Scorecard, tally
) -> None:
    for pattern in ("behaviour-original-*", "delta.safetensors", "scorecard.json"):
        for path in files(copied, pattern):
            damage(path, flip, 0)
    with tally("damaged results"):
        assert numbers(run_study(Run(finished_run.config, copied))) == card


@pytest.mark.torture
@pytest.mark.parametrize("how", [flip, blank])
@pytest.mark.parametrize("pattern", RESULTS)
def test_a_damaged_result_of_any_kind_is_made_again(
    finished_run, copied: Folders, card: Scorecard, tally, pattern: str, how: Callable
) -> None:
    (copied.run / "scorecard.json").unlink() if pattern != "scorecard.json" else None
    for seed, path in enumerate(files(copied, pattern)):
        damage(path, how, seed)
    with tally("damaged results"):
        assert numbers(run_study(Run(finished_run.config, copied))) == card


@pytest.mark.parametrize("how", [flip, cut, blank])
def test_a_damaged_configuration_is_refused_and_deleting_it_loses_nothing(
    finished_run, copied: Folders, card: Scorecard, tally, how: Callable
) -> None:
    path = copied.run / "config.json"
    damage(path, how, 1)
    with tally("damaged configuration"):
        with pytest.raises(InputError, match=r"config\.json is damaged .* delete it to go on"):
            Run(finished_run.config, copied)
        path.unlink()
        before = {p: p.stat().st_mtime_ns for p in copied.run.iterdir()}
        assert numbers(run_study(Run(finished_run.config, copied))) == card
        assert {p: p.stat().st_mtime_ns for p in before} == before


@pytest.mark.parametrize("how", [flip, cut, blank])
def test_a_damaged_model_of_the_user_s_own_is_never_taken_for_the_one_it_was(
    finished_run, copied: Folders, tmp_path: Path, capsys, tally, how: Callable
) -> None:
    own = tmp_path / "own"
    shutil.copytree(tiny_folder("tiny-llama"), own)
    before = load_model(str(own)).fingerprint
    damage(own / "model.safetensors", how, 0)
    with tally("damaged model of one's own"):
        try:
            assert load_model(str(own)).fingerprint != before
        except InputError as error:
            assert "is damaged" in str(error)
    (own / "config.json").write_text("{")
    with tally("damaged model of one's own"):
        assert main(["run", *OPTIONS, "--model", str(own), "--out", str(tmp_path / "new")]) == 2
        assert "is not a model configuration" in capsys.readouterr().err
        assert not (tmp_path / "new").exists()
