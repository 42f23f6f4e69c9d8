"""Notebook 3 in a real browser: who may move, live curves, and what a stop keeps."""

import re

import pytest

NAME = "03_train"
TAU = "τ, quantile of retain Fisher"
# Longer than anybody waits. Where nothing moves, training ends at the second check: a stop is
# pressed between that and the first. The rest stays as the notebook has it.
SETTING = "steps: 5000\nvalidate_every: 100\nlearning_rate: 0.00001\ntau: 0.5\n"


@pytest.fixture(scope="module")
def lab(opened, dual_run):
    with opened(NAME, dual_run) as lab:
        lab.run_all()
        lab.picture().wait_for()
        yield lab


def test_who_may_move_follows_tau_by_keyboard(lab) -> None:
    picture, share = lab.picture(), lab.said("could be")
    before, said, readout = picture.inner_html(), share.inner_text(), lab.readout(TAU)
    for _ in range(20):
        lab.press_slider(TAU, "ArrowLeft")
    lab.wait_for_another_picture(before)
    assert float(lab.readout(TAU)) == pytest.approx(float(readout) - 0.2)
    assert lab.said("could be").inner_text() != said


def test_nothing_is_cut_off_on_a_narrow_or_a_wide_page(lab) -> None:
    lab.look_at_widths(NAME, lab.dashboard())


def test_curves_appear_while_it_trains_and_the_words_say_what_a_stop_keeps(lab) -> None:
    page, dashboard = lab.page, lab.dashboard()
    lab.press_slider("λ, weight of the retain term", "ArrowRight")
    page.get_by_role("button", name="Load a configuration").press("Enter")
    dashboard.get_by_role("textbox", name="YAML to load").fill(SETTING)
    page.get_by_role("button", name="Load", exact=True).press("Enter")
    lab.said("Loaded.").wait_for()
    page.get_by_role("button", name="Train", exact=True).press("Enter")
    dashboard.get_by_text("How training went").wait_for()
    dashboard.get_by_text("Which checkpoint is kept").wait_for()
    lab.said("goes on from step").wait_for()
    curves = dashboard.locator(".mansu-pane svg.marks").filter(has_text="How training went")
    before = curves.inner_html()
    page.wait_for_function(
        """before => [...document.querySelectorAll('.mansu-pane svg.marks')]
            .every(svg => svg.innerHTML !== before)""",
        arg=before,
    )
    page.get_by_role("button", name="Stop", exact=True).press("Enter")
    lab.said("Stopped. What is finished is kept").wait_for()
    said = lab.said("goes on from step").inner_text()
    assert re.search(r"λ 2\.1, .* step \d+ is the best so far and is kept", said), said
    lab.look_at_widths(f"{NAME}-live", dashboard)


def test_nothing_complained_and_nothing_left_the_machine(lab) -> None:
    lab.assert_healthy()
