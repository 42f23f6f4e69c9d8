"""Notebook 4 in a real browser."""

import pytest
from playwright.sync_api import expect

NAME = "04_floor"
LEAST = "least |Δ| (bins)"


@pytest.fixture(scope="module")
def lab(opened, dual_run):
    with opened(NAME, dual_run) as lab:
        lab.run_all()
        lab.picture().wait_for()
        yield lab


def test_small_updates_are_put_back_by_keyboard_and_the_charts_follow(lab) -> None:
    before, readout = lab.picture().inner_html(), lab.readout(LEAST)
    for _ in range(12):
        lab.press_slider(LEAST, "PageUp")
    lab.wait_for_another_picture(before)
    assert float(lab.readout(LEAST)) > float(readout)
    lab.said("lie below the threshold and were put back").wait_for()


def test_another_floor_is_chosen_by_keyboard(lab) -> None:
    lab.press_slider(LEAST, "Home")
    choice = lab.dashboard().get_by_label("floor", exact=True)
    layer = lab.dashboard().get_by_label("layer", exact=True)
    expect(layer.locator("option:checked")).to_have_text("all layers")
    choice.focus()
    lab.page.keyboard.press("End")  # none: the ablation
    assert choice.input_value() == "none"
    lab.said("A run with floor none would train without the quantizer").wait_for()
    lab.said("Retain bound").wait_for()
    lab.dashboard().get_by_text("What the update may cost the retain set").wait_for()


def test_nothing_is_cut_off_on_a_narrow_or_a_wide_page(lab) -> None:
    lab.look_at_widths(NAME, lab.dashboard())


def test_nothing_complained_and_nothing_left_the_machine(lab) -> None:
    lab.assert_healthy()
