"""A real browser that looks at a notebook in JupyterLab or on a page of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Locator, Page
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
# What JupyterLab and Chromium themselves say on a healthy page.
_HARMLESS = ("favicon", "third-party cookie", "passive event listener")

# What a reader must see whole, and which of it is wider or taller than what surrounds it.
CUT_OFF = """root => {
    const parts = root.querySelectorAll(
        'svg, canvas, img, button, input, select, textarea, table, .widget-label, .widget-readout'
    );
    const cut = [];
    for (const part of parts) {
        const inner = part.getBoundingClientRect();
        if (!inner.width || !inner.height || !part.checkVisibility()) continue;
        const name = part.getAttribute('aria-label') || part.textContent.trim().slice(0, 40);
        const told = `${part.tagName} ${part.className.baseVal ?? part.className} "${name}"`;
        if (part.matches('button, .widget-label') && part.scrollWidth > part.clientWidth + 1) {
            cut.push(`${told}: its text is cut short`);
        }
        for (let outer = part.parentElement; outer; outer = outer.parentElement) {
            if (outer.matches('.jp-WindowedPanel-outer, .jp-Notebook, #rendered_cells, body')) {
                const page = outer.getBoundingClientRect();
                if (inner.right > page.right + 1) cut.push(`${told}: beyond the page`);
                break;
            }
            if (outer.matches('.panel')) break;  // scrolls, by design
            const style = getComputedStyle(outer), edge = outer.getBoundingClientRect();
            if (style.overflowX !== 'visible' && inner.right > edge.right + 1) {
                cut.push(`${told}: ${Math.round(inner.right - edge.right)} px too wide`);
                break;
            }
            if (style.overflowY !== 'visible' && inner.bottom > edge.bottom + 1) {
                cut.push(`${told}: ${Math.round(inner.bottom - edge.bottom)} px too tall`);
                break;
            }
        }
    }
    return cut;
}"""


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

    def execute(self, code: str) -> None:
        """Runs code in the notebook's kernel, beside its cells."""
        status = self.page.evaluate(
            """async code => {
                const session = window.jupyterapp.shell.currentWidget.sessionContext.session;
                const reply = await session.kernel.requestExecute({code}).done;
                return reply.content.status;
            }""",
            code,
        )
        assert status == "ok"

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
        height = (place.bounding_box() or {"height": 0})["height"]
        self.page.set_viewport_size({"width": size["width"], "height": int(height) + 400})
        for theme in ("Dark", "Light"):
            self.use_theme(f"JupyterLab {theme}")
            self.page.wait_for_timeout(400)
            place.screenshot(path=str(SCREENSHOTS / f"{name}-{theme.lower()}.png"))
        self.page.set_viewport_size(size)

    def look_at_widths(self, name: str, place: Locator) -> None:
        """Narrow and wide: nothing may be cut off; keeps a picture of each."""
        size = self.page.viewport_size or {"width": 1400, "height": 1000}
        for width in (1000, 1800):
            self.page.set_viewport_size({"width": width, "height": 2000})
            place.scroll_into_view_if_needed()
            self.page.wait_for_timeout(800)  # charts and graphs take their new width
            cut = place.evaluate(CUT_OFF)
            assert not cut, f"at {width} px: {cut}"
            self.photograph(f"{name}-{width}", place)
        self.page.set_viewport_size(size)

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

    def press_slider(self, label: str, key: str) -> None:
        """Presses a key on a slider."""
        self.slider(label).press(key)

    def assert_healthy(self) -> None:
        """No error was said, and nothing was asked of another machine."""
        assert not self.complaints, self.complaints
        assert not self.strangers, self.strangers

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
def open_page(browser: Browser, width: int = 1400) -> Iterator[Lab]:
    """An empty page that notes what goes wrong on it."""
    context = browser.new_context(viewport={"width": width, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(60_000)
    lab = Lab(page)
    page.on("request", lambda asked: _note_stranger(lab, asked.url))
    page.on("console", lambda said: _note_complaint(lab, said.type, said.text))
    page.on("pageerror", lambda error: lab.complaints.append(str(error)))
    try:
        yield lab
    finally:
        context.close()


@contextmanager
def open_notebook(browser: Browser, server: Server, name: str, width: int = 1400) -> Iterator[Lab]:
    """Opens a notebook in a page of its own and waits for its kernel; ends the kernel after."""
    with open_page(browser, width) as lab:
        page = lab.page
        page.goto(f"{server.url}/lab/workspaces/{Path(name).stem}{width}/tree/{name}?reset")
        page.wait_for_function("() => window.jupyterapp && window.jupyterapp.shell.currentWidget")
        try:
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
            page.evaluate("() => window.jupyterapp.serviceManager.sessions.shutdownAll()")


def _note_stranger(lab: Lab, url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme in ("http", "https", "ws", "wss") and parts.hostname != "127.0.0.1":
        lab.strangers.append(url)


def _note_complaint(lab: Lab, kind: str, text: str) -> None:
    if kind == "error" and not any(word in text.lower() for word in _HARMLESS):
        lab.complaints.append(text)
