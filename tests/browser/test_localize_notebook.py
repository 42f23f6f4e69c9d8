"""Notebook 1 in a real browser."""

import re

from playwright.sync_api import expect
from real_lab import open_notebook
from servers import PATIENCE

NAME = "01_localize_circuit"
RANKING = ".mansu-pane >> nth=0"


def test_the_circuit_s_size_is_set_by_keyboard_and_the_chart_follows(
    browser, server, notebook
) -> None:
    with open_notebook(browser, server, notebook(NAME)) as lab:
        lab.run_all()
        picture = lab.page.locator(RANKING).locator("svg.marks")
        picture.wait_for()
        lab.photograph(NAME, lab.dashboard())
        assert lab.readout("top-k (MLPs)") == "2"
        before = picture.inner_html()
        lab.press_slider("top-k (MLPs)", "ArrowRight")
        lab.page.wait_for_function(
            "before => document.querySelector('.mansu-pane svg.marks')?.innerHTML !== before",
            arg=before,
        )
        assert lab.readout("top-k (MLPs)") == "3"
        assert "layers" in picture.inner_html()
        lab.assert_healthy()


def test_a_new_number_of_examples_is_scored_at_a_press_and_taken_along(
    browser, server, notebook
) -> None:
    with open_notebook(browser, server, notebook(NAME), width=1000) as lab:
        lab.run_all()
        lab.page.locator(RANKING).locator("svg.marks").wait_for()
        lab.press_slider("examples (pairs)", "ArrowLeft")
        lab.page.get_by_text("The charts still show the settings before: press Run.").wait_for()
        lab.page.get_by_role("button", name="Run", exact=True).press("Enter")
        lab.page.get_by_text("Done in").wait_for()
        lab.page.get_by_text("Mean over 11 pairs").first.wait_for()
        lab.page.get_by_role("button", name="Copy mansu run line").press("Enter")
        line = lab.page.get_by_role("textbox", name="Copy mansu run line").input_value()
        assert line.startswith("mansu run --model tiny-llama --pairs 11")
        lab.assert_healthy()


# On a fast machine the tiny model would be done before anybody could press Stop.
SLOW = """
import time
from mansu.lab.dashboards.jobs import Jobs
tell = Jobs._tell
Jobs._tell = lambda job, *said: (time.sleep(0.5), tell(job, *said))
"""


def test_long_work_stops_at_a_press_and_goes_on_at_another(browser, server, notebook) -> None:
    with open_notebook(browser, server, notebook(NAME)) as lab:
        lab.run_all()
        lab.execute(SLOW)
        lab.picture().wait_for()
        lab.press_slider("examples (pairs)", "End")
        lab.press_slider("IG steps K", "End")
        run = lab.page.get_by_role("button", name="Run", exact=True)
        stop = lab.page.get_by_role("button", name="Stop", exact=True)
        run.press("Enter")
        lab.page.get_by_text(re.compile(r"pairs scored: [1-9]\d* of 96")).wait_for()
        stop.press("Enter")
        lab.said("Stopped. What is finished is kept; start again to go on.").wait_for()
        expect(stop).to_be_disabled()
        found = lab.page.get_by_text(re.compile(r"Mean over \d+ pairs")).first.text_content()
        done = int(re.findall(r"\d+", found or "")[0])
        assert 0 < done < 96
        run.press("Enter")
        lab.said("Done in").wait_for(timeout=1000 * PATIENCE)
        lab.page.get_by_text("Mean over 96 pairs").first.wait_for()
        lab.assert_healthy()


def test_nothing_is_cut_off_on_a_narrow_or_a_wide_page(browser, server, notebook) -> None:
    with open_notebook(browser, server, notebook(NAME)) as lab:
        lab.run_all()
        lab.picture().wait_for()
        lab.look_at_widths(NAME, lab.dashboard())
