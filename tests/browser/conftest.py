"""One JupyterLab and one browser for all tests; a finished run makes the notebooks fast."""

import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright
from real_lab import ARGUMENTS
from servers import Server, put_notebook, serve

from mansu.study.folders import Folders
from mansu.study.run import Run
from mansu.study.stages.attribute import attribute
from mansu.study.stages.faithfulness import measure_faithfulness
from mansu.study.stages.localize import localize
from mansu.study.state import State
from tests.chromium import CHROMIUM

Put = Callable[[str, Run], str]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve(tmp_path_factory.mktemp("lab")) as started:
        yield started


@pytest.fixture(scope="session")
def located(tiny_config, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of the tiny model with all that notebooks 1 and 2 show."""
    folder = tmp_path_factory.mktemp("located")
    run = Run(tiny_config, Folders(folder / "run", folder / "shared"))
    localize(run)
    measure_faithfulness(run)
    attribute(run, State("original", "nf4"))
    return run


@pytest.fixture(scope="session")
def finished(finished_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A copy of the finished study, which notebooks may write into."""
    folder = tmp_path_factory.mktemp("finished_copy")
    shutil.copytree(finished_run.folder, folder / "run")
    shutil.copytree(finished_run.shared, folder / "shared")
    return Run(finished_run.config, Folders(folder / "run", folder / "shared"))


@pytest.fixture(scope="session")
def put(server: Server) -> Put:
    """Puts a committed notebook, set to a run, before the server."""

    return lambda name, run: put_notebook(server.folder, name, run)


@pytest.fixture(scope="session")
def notebook(put: Put, located: Run) -> Callable[[str], str]:
    """Notebooks 1 and 2, set to a run whose circuit is known."""
    return lambda name: put(name, located)
