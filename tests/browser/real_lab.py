"""A real browser that looks at a notebook in JupyterLab or on a page of its own."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Locator, Page, expect
from servers import PATIENCE, Server

SCREENSHOTS = Path(__file__).parent / "screenshots"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
    "--disable-component-update",
]
NARROW, WIDE = 1000, 1800
_SIZE = {"width": 1400, "height": 1000}
# What JupyterLab and Chromium themselves say on a healthy page.
_HARMLESS = ("favicon", "third-party cookie", "passive event listener")
_CUT_OFF = (Path(__file__).parent / "cut_off.js").read_text("utf-8")
_SOON = 15  # seconds for a page to take a new size
# Resolves once nothing within a part of the page has moved for a quarter of a second.
_STILL = """async root => {
    const look = () => [root, ...root.querySelectorAll('svg, canvas, button, .widget-box')].map(
        part => Object.values(part.getBoundingClientRect().toJSON()).map(Math.round)).join();
    for (let before = '', same = 0, tries = 0; same < 5 && tries < 100; tries++) {
        await new Promise(end => setTimeout(() => requestAnimationFrame(end), 50));
        const now = look();
        same = now === before ? same + 1 : 0;
        before = now;
    }
}"""
# What a test leaves behind in the kernel would meet the next notebook.
_TIDY = """
import ipywidgets
from mansu.lab.dashboards import jobs
for job in list(jobs._current):
    job.halt(), job.wait()
ipywidgets.Widget.close_all()
get_ipython().run_line_magic("reset", "-f")
"""

expect.set_options(timeout=1000 * PATIENCE)


@dataclass
class Lab:
    """A page of the browser: a notebook in JupyterLab, or one that Voilà serves.

    Attributes:
        page: The browser's page.
        complaints: Errors of the console and of scripts.
        strangers: Addresses outside the loopback interface that were asked for.
        kernel: The kernel that JupyterLab's notebooks share.
    """

    page: Page
    complaints: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    kernel: str = ""

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

    def execute(self, code: str) -> None:
        """Runs code in the notebook's kernel, beside its cells."""
        status = self.page.evaluate(
            """async ([code, seconds]) => {
                const session = window.jupyterapp.shell.currentWidget.sessionContext.session;
                const reply = session.kernel.requestExecute({code}).done;
                const late = new Promise(end => setTimeout(() => end(null), 1000 * seconds));
                return (await Promise.race([reply, late]))?.content.status ?? 'too slow';
            }""",
            [code, PATIENCE],
        )
        assert status == "ok"

    def use_theme(self, dark: bool) -> None:
        """JupyterLab's dark theme, or its light one."""
        if (self.page.get_attribute("body", "data-jp-theme-light") == "false") != dark:
            name = f"JupyterLab {'Dark' if dark else 'Light'}"
            self.page.evaluate(
                "name => window.jupyterapp.commands.execute('apputils:change-theme', "
                "{theme: name})",
                name,
            )
            attribute = f"body[data-jp-theme-light='{str(not dark).lower()}']"
            self.page.wait_for_selector(attribute, state="attached")

    def photograph(self, name: str, place: Locator) -> None:
        """Keeps a picture of a part of the page."""
        SCREENSHOTS.mkdir(exist_ok=True)
        size = self.page.viewport_size or _SIZE
        # Tall enough for the whole part: JupyterLab draws what is in sight.
        height = (place.bounding_box() or {"height": 0})["height"]
        self.page.set_viewport_size({"width": size["width"], "height": int(height) + 400})
        place.evaluate(_STILL)
        place.screenshot(path=str(SCREENSHOTS / f"{name}.png"))

    def look_at_widths(self, name: str, *places: Locator) -> None:
        """Narrow and wide: nothing may be cut off; keeps pictures, light and dark."""
        size = self.page.viewport_size or _SIZE
        for width in (NARROW, WIDE):
            self.page.set_viewport_size({"width": width, "height": 2000})
            for place in places:
                place.scroll_into_view_if_needed()
                assert_whole(place, width)
        for dark, width in ((False, WIDE), (False, NARROW), (True, NARROW), (True, WIDE)):
            self.use_theme(dark)
            self.page.set_viewport_size({"width": width, "height": 2000})
            self.photograph(f"{name}-{width}-{'dark' if dark else 'light'}", places[0])
        self.use_theme(dark=False)
        self.page.set_viewport_size(size)

    def look_at_page(self, name: str) -> None:
        """As `look_at_widths`, on a page that Voilà serves: every dashboard, light alone."""
        SCREENSHOTS.mkdir(exist_ok=True)
        cells = self.page.locator("#rendered_cells")
        for width in (NARROW, WIDE):
            self.page.set_viewport_size({"width": width, "height": 1000})
            for board in self.page.locator(".mansu-dashboard").all():
                assert_whole(board, width)
            height = min(cells.evaluate("cells => cells.scrollHeight") + 20, 6000)
            self.page.set_viewport_size({"width": width, "height": height})
            self.page.screenshot(path=str(SCREENSHOTS / f"{name}-{width}.png"))

    def scroll_to(self, source: str) -> None:
        """Brings the first cell that holds this text into sight; others may not be drawn."""
        self.page.evaluate(
            """async source => {
                const notebook = window.jupyterapp.shell.currentWidget.content;
                const found = notebook.widgets.findIndex(
                    cell => cell.model.sharedModel.getSource().includes(source));
                notebook.activeCellIndex = found;
                await notebook.scrollToItem(found, 'start');
            }""",
            source,
        )

    def dashboard(self) -> Locator:
        """The first dashboard of the notebook."""
        return self.page.locator(".mansu-dashboard").first

    def picture(self) -> Locator:
        """The dashboard's first chart."""
        return self.dashboard().locator(".mansu-pane svg.marks").first

    def wait_for_another_picture(self, before: str) -> None:
        """Waits until the dashboard's first chart is not this one, as SVG, any more."""
        self.page.wait_for_function(
            """before => {
                const now = document.querySelector('.mansu-dashboard .mansu-pane svg.marks');
                return now && now.innerHTML !== before;
            }""",
            arg=before,
        )

    def said(self, text: str) -> Locator:
        """The dashboard's words that hold a text."""
        return self.dashboard().get_by_role("status").filter(has_text=text)

    def wait_for_job(self, place: Locator | None = None) -> None:
        """Waits until a dashboard's work has ended, and ended well."""
        told = (place or self.dashboard()).get_by_role("status").locator("visible=true")
        ended = told.filter(has_text=re.compile(r"^(Done in|! )")).first.inner_text()
        assert ended.startswith("Done in"), ended

    def open_tab(self, name: str, place: Locator | None = None) -> None:
        """Opens a tab by its key: a click that meets a moving page may lose its release."""
        tab = (place or self.dashboard()).get_by_role("tab", name=name)
        tab.press("Enter")
        expect(tab).to_have_attribute("aria-selected", "true")

    def press_slider(self, label: str, key: str) -> None:
        """Presses a key on a slider."""
        self.slider(label).press(key)

    def assert_healthy(self) -> None:
        """No error was said, and nothing was asked of another machine."""
        assert not self.complaints, self.complaints
        assert not self.strangers, self.strangers

    def slider(self, label: str) -> Locator:
        """The handle of the slider with this label."""
        return self._slider(label).get_by_role("slider")

    def readout(self, label: str) -> str:
        """What the slider with this label shows beside itself."""
        shown = self._slider(label).locator(".widget-readout")
        expect(shown).to_have_text(re.compile(r"\S"))
        return (shown.text_content() or "").strip()

    def _slider(self, label: str) -> Locator:
        named = self.page.get_by_text(label, exact=True)
        return self.page.locator(".widget-slider, .widget-hslider", has=named)


def assert_whole(place: Locator, width: int) -> None:
    """Nothing within a part of the page is cut off, once it has taken its size."""
    place.evaluate(_STILL)
    late = time.monotonic() + _SOON
    while (cut := place.evaluate(_CUT_OFF)) and time.monotonic() < late:
        time.sleep(0.5)
    assert not cut, f"at {width} px: {cut}"


@contextmanager
def open_page(browser: Browser) -> Iterator[Lab]:
    """An empty page that notes what goes wrong on it."""
    context = browser.new_context(viewport=_SIZE)  # pyright: ignore
    page = context.new_page()
    page.set_default_timeout(1000 * PATIENCE)
    lab = Lab(page)
    page.on("request", lambda asked: _note_stranger(lab, asked.url))
    page.on("console", lambda said: _note_complaint(lab, said.type, said.text))
    page.on("pageerror", lambda error: lab.complaints.append(str(error)))
    try:
        yield lab
    finally:
        context.close()


@contextmanager
def open_jupyterlab(browser: Browser, server: Server) -> Iterator[Lab]:
    """JupyterLab with nothing open, and one kernel, which has to load torch but once."""
    with open_page(browser) as lab:
        lab.page.goto(f"{server.url}/lab?reset")
        lab.page.wait_for_function("() => window.jupyterapp")
        lab.page.evaluate(
            """async () => {
                const app = window.jupyterapp;
                await app.restored;
                if (!app.shell.leftCollapsed) {
                    await app.commands.execute('application:toggle-left-area');
                }
            }"""
        )
        kernels, slow = f"{server.url}/api/kernels", 1000 * PATIENCE
        started = lab.page.request.post(kernels, data={"name": "python3"}, timeout=slow)
        lab.kernel = started.json()["id"]
        yield lab


@contextmanager
def open_notebook(lab: Lab, name: str) -> Iterator[Lab]:
    """A notebook before the server, opened alone in a JupyterLab that is open."""
    lab.complaints.clear()
    lab.strangers.clear()
    lab.page.set_viewport_size(_SIZE)  # pyright: ignore
    lab.page.evaluate(
        """async ([path, id]) => {
            const opened = await window.jupyterapp.commands.execute(
                'docmanager:open', {path, factory: 'Notebook', kernel: {id}});
            await opened.context.ready;
            await opened.sessionContext.ready;
            await opened.sessionContext.session.kernel.info;
            window.jupyterapp.shell.activateById(opened.id);
        }""",
        [name, lab.kernel],
    )
    lab.page.wait_for_function(
        "name => window.jupyterapp.shell.currentWidget?.context?.path === name", arg=name
    )
    try:
        yield lab
    finally:
        lab.use_theme(dark=False)
        lab.execute(_TIDY)
        # Unlike the tab's cross, asks nothing and leaves the kernel.
        lab.page.evaluate("() => window.jupyterapp.shell.currentWidget.dispose()")


def _note_stranger(lab: Lab, url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme in ("http", "https", "ws", "wss") and parts.hostname != "127.0.0.1":
        lab.strangers.append(url)


def _note_complaint(lab: Lab, kind: str, text: str) -> None:
    if kind == "error" and not any(word in text.lower() for word in _HARMLESS):
        lab.complaints.append(text)
