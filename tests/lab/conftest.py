import pytest

from mansu.study.folders import Folders
from mansu.study.run import Run
from mansu.study.stages.localize import localize
from tests.lab.made_up import Made, make


@pytest.fixture(scope="session")
def made() -> Made:
    return make()


@pytest.fixture(scope="session")
def located(tiny_config, tiny, tmp_path_factory) -> Run:
    """A run of the tiny model whose circuit is known."""
    folder = tmp_path_factory.mktemp("located")
    run = Run(tiny_config, Folders(folder / "run", folder / "shared"), model=tiny)
    localize(run)
    return run
