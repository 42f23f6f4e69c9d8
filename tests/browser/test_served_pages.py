"""Notebooks as Voilà shows them: no code, on this machine alone."""

from pathlib import Path

from playwright.sync_api import expect
from real_lab import SCREENSHOTS, open_page
from servers import PATIENCE, put_notebook, serve_pages

LEAST = "least |Δ| (bins)"


def test_a_dashboard_without_code_answers_the_keyboard(browser, finished, tmp_path: Path) -> None:
    name = put_notebook(tmp_path, "04_floor", finished)
    with serve_pages(tmp_path) as server, open_page(browser) as lab:
        lab.page.goto(server.url)  # the list of notebooks
        lab.page.get_by_text(name).wait_for()
        lab.assert_healthy()
        lab.page.goto(f"{server.url}/voila/render/{name}", timeout=1000 * PATIENCE)
        lab.picture().wait_for(timeout=1000 * PATIENCE)
        before, readout = lab.picture().inner_html(), lab.readout(LEAST)
        for _ in range(12):
            lab.press_slider(LEAST, "PageUp")
        lab.wait_for_another_picture(before)
        assert float(lab.readout(LEAST)) > float(readout)
        lab.said("lie below the threshold and were put back").wait_for()
        expect(lab.page.locator(".jp-CodeCell .jp-InputArea")).to_have_count(0)
        assert "open_run(" not in lab.page.locator("body").inner_text()
        SCREENSHOTS.mkdir(exist_ok=True)
        lab.page.screenshot(path=str(SCREENSHOTS / "served-04_floor.png"), full_page=True)
        lab.assert_healthy()
