"""Notebook 3 in a real browser."""

import pytest
from real_lab import open_notebook

NAME = "03_train"
TAU = "τ, quantile of retain Fisher"


@pytest.fixture(scope="module")
def lab(browser, server, put, finished):
    with open_notebook(browser, server, put(NAME, finished)) as opened:
        opened.run_all()
        opened.picture().wait_for()
        yield opened


def test_who_may_move_follows_tau_by_keyboard(lab) -> None:
    picture, share = lab.picture(), lab.said("could be")
    before, said, readout = picture.inner_html(), share.inner_text(), lab.readout(TAU)
    for _ in range(20):
        lab.press_slider(TAU, "ArrowLeft")
    lab.wait_for_another_picture(before)
    assert float(lab.readout(TAU)) == pytest.approx(float(readout) - 0.2)
    assert lab.said("could be").inner_text() != said
    lab.photograph(NAME, lab.dashboard())


def test_nothing_is_cut_off_on_a_narrow_or_a_wide_page(lab) -> None:
    lab.look_at_widths(NAME, lab.dashboard())


def test_nothing_complained_and_nothing_left_the_machine(lab) -> None:
    lab.assert_healthy()
