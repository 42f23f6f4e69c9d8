"""Long files first, so that two processes that share the files end at about the same time."""

import gc
from pathlib import Path

import pytest

# Folders whose files take long, longest first; all others come after them.
LONG = ("notebooks", "browser", "faults", "sweep", "fuzz", "study")


def pytest_configure(config: pytest.Config) -> None:
    """Keeps pytest-xdist from sorting the files by how many tests they have."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_finish() -> None:
    """Spares every full collection of garbage a look at what was imported and collected."""
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sorts the files by their folders."""
    folders = [Path(__file__).parent / name for name in LONG]
    rank = {folder: place for place, folder in enumerate(folders)}
    items.sort(key=lambda item: min(rank.get(up, len(LONG)) for up in item.path.parents))
