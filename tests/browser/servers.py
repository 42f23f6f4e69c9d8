"""Servers of the tests' own on the loopback interface, and notebooks for them to show."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import nbformat

from mansu.study.run import Run
from mansu.sweep.notebooks import build
from mansu.sweep.places import repository

PATIENCE = 240  # seconds; machines that run tests may be slow


@dataclass(frozen=True)
class Server:
    """A running JupyterLab.

    Attributes:
        url: Its address.
        folder: Where its notebooks lie.
    """

    url: str
    folder: Path


@contextmanager
def serve(folder: Path) -> Iterator[Server]:
    """Runs JupyterLab on a folder, with nothing of the user's own configuration."""
    quiet = folder / ".jupyter" / "settings" / "@jupyterlab" / "apputils-extension"
    quiet.mkdir(parents=True)
    asks = {"fetchNews": "false", "checkForUpdates": False}
    (quiet / "notification.jupyterlab-settings").write_text(json.dumps(asks))
    port = _free_port()
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        *("--ServerApp.ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"),
        *("--IdentityProvider.token=", "--ServerApp.disable_check_xsrf=True"),
        "--expose-app-in-browser",
    ]
    with _running(folder, port, command) as server:
        yield server


@contextmanager
def serve_pages(folder: Path) -> Iterator[Server]:
    """Runs `mansu serve` on a folder, which shows notebooks without code."""
    port = _free_port()
    arguments = ["--no-browser", f"--port={port}", f"--Voila.root_dir={folder}"]
    command = [sys.executable, "-m", "mansu", "serve", "--", *arguments]
    with _running(folder, port, command) as server:
        yield server


@contextmanager
def _running(folder: Path, port: int, command: list[str]) -> Iterator[Server]:
    hidden = folder / ".jupyter"
    names = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "IPYTHONDIR": "ipython",
    }
    places = {name: str(hidden / place) for name, place in names.items()}
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **places},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            _wait_for(port, process, folder / "server.log")
            yield Server(f"http://127.0.0.1:{port}", folder)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)  # `mansu serve` has a child, which serves
            process.wait(20)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def _wait_for(port: int, process: subprocess.Popen, log: Path) -> None:
    for _ in range(PATIENCE * 2):
        assert process.poll() is None, log.read_text()[-2000:]
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(f"The server did not answer: {log.read_text()[-2000:]}")


def put_notebook(folder: Path, name: str, run: Run) -> str:
    """Writes a copy of a committed notebook, set to a run; gives its file name."""
    notebook = nbformat.reads(build(repository() / "notebooks" / f"{name}.py"), as_version=4)
    index = [i for i, c in enumerate(notebook.cells) if "parameters" in c.metadata.get("tags", [])]
    values = {**asdict(run.config), "out": str(run.folder), "shared": str(run.shared)}
    lines = "\n".join(f"{key} = {value!r}" for key, value in values.items())
    notebook.cells.insert(index[0] + 1, nbformat.v4.new_code_cell(lines))
    nbformat.write(notebook, folder / f"{name}.ipynb")
    return f"{name}.ipynb"
