"""Notebook 1 in a real browser."""

import re

import pytest
from playwright.sync_api import expect

NAME = "01_localize_circuit"
# On a fast machine the tiny model would be done before anybody could press Stop.
SLOW = """
import time
from mansu.lab.dashboards.jobs import Jobs
tell = Jobs._tell
Jobs._tell = lambda job, *said: (time.sleep(0.5), tell(job, *said))
"""
FAST = "Jobs._tell = tell"


@pytest.fixture(scope="module")
def lab(opened, dual_run):
    with opened(NAME, dual_run) as lab:
        lab.run_all()
        lab.picture().wait_for()
        yield lab


def test_the_circuit_s_size_is_set_by_keyboard_and_the_chart_follows(lab) -> None:
    assert lab.readout("top-k (MLPs)") == "2"
    before = lab.picture().inner_html()
    lab.press_slider("top-k (MLPs)", "ArrowRight")
    lab.wait_for_another_picture(before)
    assert lab.readout("top-k (MLPs)") == "3"
    assert "layers" in lab.picture().inner_html()


def test_nothing_is_cut_off_on_a_narrow_or_a_wide_page(lab) -> None:
    lab.look_at_widths(NAME, lab.dashboard())


def test_a_new_number_of_examples_is_scored_at_a_press_and_taken_along(lab) -> None:
    lab.press_slider("examples (pairs)", "ArrowLeft")
    lab.said("The charts still show the settings before: press Run.").wait_for()
    lab.page.get_by_role("button", name="Run", exact=True).press("Enter")
    lab.wait_for_job()
    lab.page.get_by_text("Mean over 11 pairs").first.wait_for()
    lab.page.get_by_role("button", name="Copy mansu run line").press("Enter")
    line = lab.page.get_by_role("textbox", name="Copy mansu run line").input_value()
    sets = "--forget elements --retain capitals --utility cities"
    assert line.startswith(f"mansu run --model tiny-llama {sets} --items 120 --pairs 11")


def test_long_work_stops_at_a_press_and_goes_on_at_another(lab) -> None:
    lab.execute(SLOW)
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
    lab.execute(FAST)
    run.press("Enter")
    lab.wait_for_job()
    lab.page.get_by_text("Mean over 96 pairs").first.wait_for()


def test_nothing_complained_and_nothing_left_the_machine(lab) -> None:
    lab.assert_healthy()
