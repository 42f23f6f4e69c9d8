"""Notebooks as Voilà shows them: no code, on this machine alone."""

from pathlib import Path

import pytest
from playwright.sync_api import expect
from real_lab import CUT_OFF, SCREENSHOTS, open_page
from servers import PATIENCE, put_notebook, serve_pages

from mansu.sweep import notebooks
from mansu.sweep.places import repository

NUMBERED = ("00_dual_failure", *notebooks.SHARED, *notebooks.OWN)
LEAST = "least |Δ| (bins)"
FAILED = "[data-mime-type='application/vnd.jupyter.error']"


@pytest.fixture(scope="module")
def served(finished, dual_run, tmp_path_factory: pytest.TempPathFactory):
    folder: Path = tmp_path_factory.mktemp("served")
    for name in NUMBERED:
        put_notebook(folder, name, dual_run if name.startswith("00") else finished)
    with serve_pages(folder) as server:
        yield server


def test_the_first_page_lists_the_notebooks(browser, served) -> None:
    with open_page(browser) as lab:
        lab.page.goto(served.url)
        for name in NUMBERED:
            lab.page.get_by_text(f"{name}.ipynb").wait_for()
        lab.assert_healthy()


@pytest.mark.parametrize("name", NUMBERED)
def test_a_page_shows_its_dashboard_and_no_code(browser, served, name: str) -> None:
    with open_page(browser) as lab:
        page = lab.page
        page.goto(f"{served.url}/voila/render/{name}.ipynb", timeout=1000 * PATIENCE)
        lab.dashboard().wait_for(timeout=1000 * PATIENCE)
        page.wait_for_timeout(1500)  # the charts
        expect(page.locator(".jp-CodeCell .jp-InputArea")).to_have_count(0)
        assert "open_run(" not in page.locator("body").inner_text()
        expect(page.locator(FAILED)).to_have_count(0)
        for board in page.locator(".mansu-dashboard").all():
            cut = board.evaluate(CUT_OFF)
            assert not cut, cut
        SCREENSHOTS.mkdir(exist_ok=True)
        height = page.locator("#rendered_cells").evaluate("cells => cells.scrollHeight")
        page.set_viewport_size({"width": 1400, "height": min(height + 20, 6000)})
        page.screenshot(path=str(SCREENSHOTS / f"served-{name}.png"))
        assert page.locator("canvas.marks, svg.marks").count()
        lab.assert_healthy()


def test_a_class_opens_a_solution_when_it_wants_to(browser, served) -> None:
    with open_page(browser) as lab:
        page = lab.page
        page.goto(f"{served.url}/voila/render/00_dual_failure.ipynb", timeout=1000 * PATIENCE)
        lab.dashboard().wait_for(timeout=1000 * PATIENCE)
        solutions = page.locator("details.mansu-solution")
        source = (repository() / "notebooks" / "00_dual_failure.py").read_text(encoding="utf-8")
        expect(solutions).to_have_count(source.count('tags=["solution"]'))
        said = solutions.first.get_by_text("The median weight")
        expect(said).to_be_hidden()
        solutions.first.locator("summary").press("Enter")
        expect(said).to_be_visible()
        lab.assert_healthy()


def test_a_dashboard_without_code_answers_the_keyboard(browser, served) -> None:
    with open_page(browser) as lab:
        lab.page.goto(f"{served.url}/voila/render/04_floor.ipynb", timeout=1000 * PATIENCE)
        lab.picture().wait_for(timeout=1000 * PATIENCE)
        before, readout = lab.picture().inner_html(), lab.readout(LEAST)
        for _ in range(12):
            lab.press_slider(LEAST, "PageUp")
        lab.wait_for_another_picture(before)
        assert float(lab.readout(LEAST)) > float(readout)
        lab.said("lie below the threshold and were put back").wait_for()
        lab.assert_healthy()
