"""A JupyterLab of its own on the loopback interface, and a real browser that looks at it."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
from playwright.sync_api import Browser, Locator, Page

from mansu.lab.kernel import write_kernel
from mansu.lab.notebooks import build
from mansu.lab.places import repository

SCREENSHOTS = Path(__file__).parent / "screenshots"
_FOUND = [shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")]
CHROMIUM = next(filter(None, _FOUND), None)
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
    "--disable-component-update",
]
PATIENCE = 240  # seconds; machines that run tests may be slow
# What JupyterLab and Chromium themselves say on a healthy page.
_HARMLESS = ("favicon", "third-party cookie", "passive event listener")


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
    write_kernel(hidden / "data")
    quiet = hidden / "settings" / "@jupyterlab" / "apputils-extension"
    quiet.mkdir(parents=True)
    asks = {"fetchNews": "false", "checkForUpdates": False}
    (quiet / "notification.jupyterlab-settings").write_text(json.dumps(asks))
    port = _free_port()
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        *("--ServerApp.ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"),
        *("--IdentityProvider.token=", "--expose-app-in-browser"),
    ]
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **places}, stdout=log, stderr=log
        )
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_for(port, process, folder / "server.log")
            yield Server(url, folder)
        finally:
            process.terminate()
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
    raise AssertionError(f"JupyterLab did not answer: {log.read_text()[-2000:]}")


def put_notebook(folder: Path, name: str, **parameters: object) -> str:
    """Writes a copy of a committed notebook with other parameters; gives its file name."""
    notebook = nbformat.reads(build(repository() / "notebooks" / f"{name}.py"), as_version=4)
    index = [i for i, c in enumerate(notebook.cells) if "parameters" in c.metadata.get("tags", [])]
    lines = "\n".join(f"{key} = {value!r}" for key, value in parameters.items())
    notebook.cells.insert(index[0] + 1, nbformat.v4.new_code_cell(lines))
    nbformat.write(notebook, folder / f"{name}.ipynb")
    return f"{name}.ipynb"


@dataclass
class Lab:
    """A notebook open in JupyterLab.

    Attributes:
        page: The browser's page.
        complaints: Errors of the console and of scripts.
        strangers: Addresses outside the loopback interface that were asked for.
    """

    page: Page
    complaints: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    def run_all(self) -> None:
        """Runs every cell and waits until the kernel is idle again; no cell may fail."""
        done = self.page.evaluate(
            """seconds => Promise.race([
                window.jupyterapp.commands.execute('notebook:run-all-cells').then(() => 'done'),
                new Promise(end => setTimeout(() => end('too slow'), 1000 * seconds)),
            ])""",
            PATIENCE,
        )
        assert done == "done"
        failed = self.page.evaluate(
            """() => [...window.jupyterapp.shell.currentWidget.content.model.cells]
                .flatMap(cell => cell.toJSON().outputs || [])
                .filter(output => output.output_type === 'error')
                .map(output => `${output.ename}: ${output.evalue}`)"""
        )
        assert not failed, failed

    def use_theme(self, name: str) -> None:
        """``JupyterLab Light`` or ``JupyterLab Dark``."""
        self.page.evaluate(
            "name => window.jupyterapp.commands.execute('apputils:change-theme', {theme: name})",
            name,
        )
        light = "true" if name.endswith("Light") else "false"
        attribute = f"body[data-jp-theme-light='{light}']"
        self.page.wait_for_selector(attribute, state="attached")

    def photograph(self, name: str, place: Locator) -> None:
        """Keeps a picture of a part of the page, in the light and in the dark theme."""
        SCREENSHOTS.mkdir(exist_ok=True)
        size = self.page.viewport_size or {"width": 1400, "height": 1000}
        # Tall enough for the whole part: JupyterLab draws what is in sight.
        self.page.set_viewport_size({"width": size["width"], "height": 2000})
        for theme in ("Dark", "Light"):
            self.use_theme(f"JupyterLab {theme}")
            self.page.wait_for_timeout(400)
            place.screenshot(path=str(SCREENSHOTS / f"{name}-{theme.lower()}.png"))
        self.page.set_viewport_size(size)

    def dashboard(self) -> Locator:
        """The first dashboard of the notebook."""
        return self.page.locator(".jp-OutputArea-output > .jupyter-widgets").first

    def press_slider(self, label: str, key: str) -> None:
        """Presses a key on a slider."""
        self.slider(label).press(key)

    def assert_healthy(self) -> None:
        """No error was said, and nothing was asked of another machine."""
        assert not self.complaints
        assert not self.strangers

    def slider(self, label: str) -> Locator:
        """The handle of the slider with this label."""
        return self.page.locator(
            ".widget-slider, .widget-hslider", has=self.page.get_by_text(label, exact=True)
        ).get_by_role("slider")

    def readout(self, label: str) -> str:
        """What the slider with this label shows beside itself."""
        return self.page.locator(
            ".widget-slider, .widget-hslider", has=self.page.get_by_text(label, exact=True)
        ).locator(".widget-readout").inner_text()  # fmt: skip


@contextmanager
def open_notebook(browser: Browser, server: Server, name: str, width: int = 1400) -> Iterator[Lab]:
    """Opens a notebook in a page of its own and waits for its kernel; ends the kernel after."""
    context = browser.new_context(viewport={"width": width, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(60_000)
    lab = Lab(page)
    page.on("request", lambda asked: _note_stranger(lab, asked.url))
    page.on("console", lambda said: _note_complaint(lab, said.type, said.text))
    page.on("pageerror", lambda error: lab.complaints.append(str(error)))
    try:
        page.goto(f"{server.url}/lab/workspaces/{Path(name).stem}{width}/tree/{name}?reset")
        page.wait_for_function("() => window.jupyterapp && window.jupyterapp.shell.currentWidget")
        page.evaluate(
            """async () => {
                const app = window.jupyterapp;
                await app.restored;
                const widget = app.shell.currentWidget;
                await widget.context.ready;
                await widget.sessionContext.ready;
                await widget.sessionContext.session.kernel.info;
                if (!app.shell.leftCollapsed) {
                    await app.commands.execute('application:toggle-left-area');
                }
            }"""
        )
        yield lab
    finally:
        try:
            page.evaluate("() => window.jupyterapp.serviceManager.sessions.shutdownAll()")
        finally:
            context.close()


def _note_stranger(lab: Lab, url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme in ("http", "https", "ws", "wss") and parts.hostname != "127.0.0.1":
        lab.strangers.append(url)


def _note_complaint(lab: Lab, kind: str, text: str) -> None:
    if kind == "error" and not any(word in text.lower() for word in _HARMLESS):
        lab.complaints.append(text)
