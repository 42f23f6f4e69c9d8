"""Notebooks as Voilà shows them: no code, on this machine alone."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect
from real_lab import Lab, open_page
from servers import put_notebook, serve_pages

from mansu.sweep import notebooks
from mansu.sweep.places import repository

NUMBERED = ("00_dual_failure", *notebooks.SHARED, *notebooks.OWN)
LEAST = "least |Δ| (bins)"
FAILED = "[data-mime-type='application/vnd.jupyter.error']"


@pytest.fixture(scope="module")
def served(dual_run, tmp_path_factory: pytest.TempPathFactory):
    folder: Path = tmp_path_factory.mktemp("served")
    for name in NUMBERED:
        put_notebook(folder, name, dual_run)
    with serve_pages(folder) as server:
        yield server


def test_the_first_page_lists_the_notebooks(browser, served) -> None:
    with open_page(browser) as lab:
        lab.page.goto(served.url)
        for name in NUMBERED:
            lab.page.get_by_text(f"{name}.ipynb").wait_for()
        lab.assert_healthy()


@pytest.mark.parametrize("name", NUMBERED)
def test_a_page_shows_its_dashboard_whole_and_no_code(browser, served, name: str) -> None:
    with open_page(browser) as lab:
        page = lab.page
        page.goto(f"{served.url}/voila/render/{name}.ipynb")
        lab.dashboard().wait_for()
        page.locator("canvas.marks, svg.marks, .mansu-graph svg").first.wait_for()
        expect(page.locator(".jp-CodeCell .jp-InputArea")).to_have_count(0)
        assert "open_run(" not in page.locator("body").inner_text()
        expect(page.locator(FAILED)).to_have_count(0)
        lab.look_at_page(f"served-{name}")
        MORE.get(name, lambda lab: None)(lab)
        lab.assert_healthy()


def open_a_solution(lab: Lab) -> None:
    """A class opens a solution when it wants to."""
    solutions = lab.page.locator("details.mansu-solution")
    source = (repository() / "notebooks" / "00_dual_failure.py").read_text(encoding="utf-8")
    expect(solutions).to_have_count(source.count('tags=["solution"]'))
    said = solutions.first.get_by_text("The median weight")
    expect(said).to_be_hidden()
    solutions.first.locator("summary").press("Enter")
    expect(said).to_be_visible()


def raise_the_threshold(lab: Lab) -> None:
    """A dashboard without code answers the keyboard."""
    before, readout = lab.picture().inner_html(), lab.readout(LEAST)
    for _ in range(12):
        lab.press_slider(LEAST, "PageUp")
    lab.wait_for_another_picture(before)
    assert float(lab.readout(LEAST)) > float(readout)
    lab.said("lie below the threshold and were put back").wait_for()


# What is tried on a page once it stands: each costs a kernel of its own.
MORE: dict[str, Callable[[Lab], None]] = {
    "00_dual_failure": open_a_solution,
    "04_floor": raise_the_threshold,
}
