"""One browser, one JupyterLab page with one kernel, and one study for all notebooks it opens."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from playwright.sync_api import Browser, sync_playwright
from real_lab import ARGUMENTS, Lab, open_jupyterlab, open_notebook
from servers import Server, put_notebook, serve

from mansu.study.run import Run
from tests.chromium import CHROMIUM

Opened = Callable[[str, Run], AbstractContextManager[Lab]]


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
def jupyterlab(browser: Browser, server: Server) -> Iterator[Lab]:
    with open_jupyterlab(browser, server) as opened:
        yield opened


@pytest.fixture(scope="session")
def opened(jupyterlab: Lab, server: Server) -> Opened:
    """Opens a committed notebook, set to a run."""
    return lambda name, run: open_notebook(jupyterlab, put_notebook(server.folder, name, run))
