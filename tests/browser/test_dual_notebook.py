"""Notebook 0 in a real browser: guess, reveal, and one weight pushed through its block."""

import pytest
from playwright.sync_api import expect
from real_lab import assert_whole

from mansu.quant.codebook import BLOCK, NF4
from mansu.study.stages.fisher import trainable_weights

NAME = "00_dual_failure"
ASKED = "what else did gradient ascent change?"
PUSH = "update Δ (% of its bin)"


@pytest.fixture(scope="module")
def lab(opened, dual_run):
    with opened(NAME, dual_run) as lab:
        lab.run_all()
        yield lab


def board(lab, source: str, words: str):
    """The dashboard with these words, below the cell with this source."""
    lab.scroll_to(source)
    found = lab.page.locator(".mansu-dashboard").filter(has_text=words)
    found.wait_for()
    return found


def test_nothing_is_revealed_before_a_guess_is_made_by_keyboard(lab) -> None:
    question = board(lab, "lessons.price", ASKED)
    reveal = question.get_by_role("button", name="Reveal")
    expect(reveal).to_be_disabled()
    assert question.locator("svg.marks").count() == 0
    question.get_by_role("radio").first.focus()
    lab.page.keyboard.press("Space")
    expect(reveal).to_be_enabled()
    reveal.press("Enter")
    question.locator("svg.marks").wait_for()
    said = question.locator("[role=status]").last.inner_text()
    assert "Retain accuracy" in said
    assert said.startswith(("Your guess holds.", "It is: "))
    expect(reveal).to_be_disabled()


def test_a_weight_is_pushed_out_of_its_bin_by_keyboard(lab, dual_run) -> None:
    block = board(lab, "dashboards.block", PUSH)
    weights = next(iter(trainable_weights(dual_run).values())).flatten()[:BLOCK]
    codes = NF4.unpack(NF4.quantize(weights)).tolist()
    lab.press_slider("weight of the block", "Home")
    for _ in range(next(i for i, code in enumerate(codes) if 4 <= code <= 11)):  # no outermost bin
        lab.press_slider("weight of the block", "ArrowRight")
    block.get_by_text("The weight has not moved.").wait_for()
    readout = lab.readout(PUSH)
    for _ in range(3):
        lab.press_slider(PUSH, "PageUp")
    assert lab.readout(PUSH) != readout
    lab.press_slider(PUSH, "End")  # three bins away
    block.get_by_text("It crossed into another bin").wait_for()
    assert_whole(block, 1400)
    lab.photograph(f"{NAME}-block", block)


def test_nothing_is_cut_off_on_a_narrow_or_a_wide_page(lab) -> None:
    lab.look_at_widths(NAME, board(lab, "lessons.price", ASKED))


def test_nothing_complained_and_nothing_left_the_machine(lab) -> None:
    lab.assert_healthy()
