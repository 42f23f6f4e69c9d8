"""Notebook 6 in a real browser."""

import pytest

NAME = "06_cad_analysis"
LEAST = "least |score| (logits)"


@pytest.fixture(scope="module")
def lab(opened, dual_run):
    with opened(NAME, dual_run) as lab:
        lab.run_all()
        lab.picture().wait_for()
        lab.page.locator(".mansu-graph svg").nth(1).wait_for()
        yield lab


def test_weak_edges_leave_both_graphs_and_the_scatter_by_keyboard(lab) -> None:
    graphs = lab.page.locator(".mansu-graph")
    assert graphs.count() == 2
    before, readout = lab.picture().inner_html(), lab.readout(LEAST)
    shown = [int(graph.get_attribute("data-shown")) for graph in graphs.all()]
    for _ in range(6):
        lab.press_slider(LEAST, "PageUp")
    lab.wait_for_another_picture(before)
    assert float(lab.readout(LEAST)) > float(readout)
    left = [int(graph.get_attribute("data-shown")) for graph in graphs.all()]
    assert all(now < then for now, then in zip(left, shown, strict=True))


def test_the_deployed_models_are_a_key_away(lab) -> None:
    before = lab.picture().inner_html()
    lab.said("In full precision:").wait_for()
    lab.dashboard().get_by_label("precision", exact=True).press("End")
    lab.wait_for_another_picture(before)
    lab.said("In NF4:").wait_for()
    lab.page.locator(".mansu-graph .title").get_by_text("after, NF4").wait_for()


def test_nothing_is_cut_off_on_a_narrow_or_a_wide_page(lab) -> None:
    lab.look_at_widths(NAME, lab.dashboard())


def test_nothing_complained_and_nothing_left_the_machine(lab) -> None:
    lab.assert_healthy()
