"""The uninterrupted study that all faults are held against, and a disk of any size."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mansu.study.scorecard import Scorecard
from tests.faults.harness import Reference, card_of, uninterrupted


@pytest.fixture(scope="session")
def card(finished_run) -> Scorecard:
    """The scorecard of an uninterrupted study."""
    return card_of(finished_run.folder)


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory, card: Scorecard) -> Reference:
    """The same study in a process of its own, with what it cost."""
    found = uninterrupted(tmp_path_factory.mktemp("reference"))
    assert found.card == card
    return found


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """``disk("1m")`` mounts a disk of that size; called again it changes its options."""
    place = tmp_path / "disk"

    def mount(size: str, *options: str) -> Path:
        place.mkdir(exist_ok=True)
        how = ",".join([*(["remount"] if place.is_mount() else []), f"size={size}", *options])
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", how, "tmpfs", str(place)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            pytest.skip(f"needs the right to mount a small disk: {done.stderr.strip()}")
        return place

    yield mount
    if place.is_mount():
        subprocess.run(["umount", "-l", str(place)], check=True)
