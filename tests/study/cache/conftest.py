"""A run that computes nothing, and the keys of its stages."""

import pytest

from mansu.study.config import StudyConfig
from mansu.study.folders import Folders
from mansu.study.run import Run
from tests.study.cache.calls import keys


@pytest.fixture(scope="module")
def run(tiny_config: StudyConfig, tmp_path_factory) -> Run:
    """A run that computes nothing."""
    folder = tmp_path_factory.mktemp("keys")
    return Run(tiny_config, Folders(folder / "run", folder / "shared"))


@pytest.fixture(scope="module")
def before(run: Run) -> dict[str, str]:
    """The keys by the library's own sources."""
    return keys(run)
