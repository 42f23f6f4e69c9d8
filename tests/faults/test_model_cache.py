"""Models whose building is cut short, or that are damaged where they are kept."""

import dataclasses
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mansu.errors import RunError
from mansu.models import tiny
from mansu.models.loading import find_model, load_model, load_tokenizer
from tests.faults.harness import KILLED
from tests.faults.test_damage import cut, damage, flip

# A model of one epoch serves: what counts is that it is the same.
_BUILD = """
import dataclasses
from mansu.models import tiny
tiny.TINY["tiny-llama"] = dataclasses.replace(tiny.TINY["tiny-llama"], epochs=1)
tiny.tiny_folder("tiny-llama")
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, for quickly built models."""
    return use(monkeypatch, tmp_path / "cache")


def use(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    quick = dataclasses.replace(tiny.TINY["tiny-llama"], epochs=1)
    monkeypatch.setitem(tiny.TINY, "tiny-llama", quick)
    monkeypatch.setenv("MANSU_CACHE", str(folder))
    return folder


def contents(cache: Path) -> dict[str, bytes]:
    """Every file in the cache but the empty locks."""
    paths = [path for path in cache.rglob("*") if path.is_file() and path.suffix != ".lock"]
    return {str(path.relative_to(cache)): path.read_bytes() for path in paths}


def builds(cache: Path) -> list[Path]:
    """What is being built of the whole model, or was left of it."""
    return [p for p in cache.glob("models/.tiny-llama*/") if ".bare." not in p.name]


@pytest.mark.torture
@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("model.safetensors", flip),
        ("model.safetensors", cut),
        ("config.json", flip),
        ("tokenizer.json", flip),
        ("tokenizer.json", cut),
        ("digests.json", flip),
    ],
)
def test_a_damaged_model_is_built_again(cache: Path, tally, name: str, how) -> None:
    fingerprint, before = load_model("tiny-llama").fingerprint, contents(cache)
    damage(tiny.tiny_folder("tiny-llama") / name, how, 0)
    with tally("damaged model in the cache"):
        assert load_model("tiny-llama").fingerprint == fingerprint
        assert contents(cache) == before


@pytest.mark.parametrize("how", [flip, cut])
def test_damaged_parts_of_a_model_without_weights_are_made_again(cache: Path, tally, how) -> None:
    folder = tiny.tiny_folder("tiny-llama", weights=False)
    before = contents(cache)
    damage(folder / "tokenizer.json", how, 0)
    with tally("damaged model in the cache"):
        assert load_tokenizer(find_model("tiny-llama", weights=False)).pad_token_id == 0
        assert contents(cache) == before


@pytest.mark.torture
@pytest.mark.parametrize("size", ["40k", "1m"])
def test_a_model_that_does_not_fit_is_told_and_built_when_there_is_space(
    disk, monkeypatch: pytest.MonkeyPatch, tally, size: str
) -> None:
    cache = use(monkeypatch, disk(size) / "cache")
    with tally("full disk while building the model"):
        with pytest.raises(RunError, match=r"No space left on device.*set MANSU_CACHE"):
            load_model("tiny-llama")
        # What needs no weights may have fitted; it is whole then, and in a folder of its own.
        assert all(".bare/" in name for name in contents(cache))
        disk("200m")
        load_model("tiny-llama")


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(3))
def test_a_model_whose_building_is_killed_is_built_again(cache: Path, tally, seed: int) -> None:
    process = subprocess.Popen([sys.executable, "-c", _BUILD], env=dict(os.environ))
    while not builds(cache):
        assert process.poll() is None
        time.sleep(0.005)
    time.sleep(random.Random(seed).uniform(0, 0.5))
    process.kill()
    with tally("killed while building the model"):
        assert process.wait() == KILLED
        assert builds(cache)
        load_model("tiny-llama")
        assert not list(cache.glob("models/.tiny-llama*/"))
