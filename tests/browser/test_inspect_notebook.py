"""Notebook 2 in a real browser, the circuit's graph by keyboard alone."""

import re

import pytest
from real_lab import assert_whole

NAME = "02_inspect_attribution"


@pytest.fixture(scope="module")
def lab(opened, dual_run):
    with opened(NAME, dual_run) as lab:
        lab.run_all()
        lab.page.locator(".mansu-graph svg").first.wait_for()
        yield lab


def focused(lab) -> str:
    return lab.page.evaluate("() => document.activeElement.getAttribute('aria-label') || ''")


def test_the_threshold_filters_the_graph_by_keyboard(lab) -> None:
    graph = lab.page.locator(".mansu-graph").first
    shown = int(graph.get_attribute("data-shown"))
    readout = lab.readout("least |score| (logits)")
    lab.press_slider("least |score| (logits)", "End")
    lab.page.wait_for_function(
        "shown => +document.querySelector('.mansu-graph').dataset.shown < shown", arg=shown
    )
    assert lab.readout("least |score| (logits)") != readout
    assert "logits" in graph.locator(".count").inner_text()
    lab.press_slider("least |score| (logits)", "Home")


def test_a_larger_circuit_fills_another_mlp(lab) -> None:
    members = lab.page.locator(".mansu-graph .node.member")
    assert members.count() == int(lab.readout("top-k (MLPs)"))
    lab.press_slider("top-k (MLPs)", "ArrowRight")
    lab.page.wait_for_function(
        "() => document.querySelectorAll('.mansu-graph .node.member').length === 3"
    )
    assert lab.readout("top-k (MLPs)") == "3"


def test_arrow_keys_walk_the_graph_and_enter_chooses_a_node(lab) -> None:
    page = lab.page
    page.locator(".mansu-graph .node[tabindex='0']").first.focus()
    assert focused(lab) == "token embedding"
    page.keyboard.press("ArrowUp")
    assert "layer 0" in focused(lab)
    page.keyboard.press("ArrowUp")
    assert "layer 1" in focused(lab)
    for _ in range(8):
        page.keyboard.press("ArrowLeft")
    assert focused(lab).startswith("MLP of layer 1")
    page.keyboard.press("End")
    assert focused(lab) == "logits"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Home")
    assert focused(lab) == "token embedding"
    page.keyboard.press("ArrowUp")
    for _ in range(8):
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    panel = page.locator(".mansu-graph .panel").first
    panel.get_by_text("m0: MLP of layer 0").wait_for()
    assert focused(lab).startswith("MLP of layer 0")  # the cell did not take the key
    assert panel.locator(".token.differs").count() > 0
    assert re.search(r"[−+]\d", panel.inner_text())
    lab.photograph(f"{NAME}-node", lab.dashboard())
    page.keyboard.press("Escape")
    panel.get_by_text("Choose a node").wait_for()


@pytest.mark.parametrize("tab", ["Heat maps", "Ranking"])
def test_a_tab_draws_its_chart_when_it_is_opened(lab, tab: str) -> None:
    lab.open_tab(tab)
    lab.page.locator(".mansu-pane svg.marks").locator("visible=true").first.wait_for()


def test_faithfulness_is_measured_at_a_press(lab) -> None:
    lab.open_tab("Faithfulness")
    lab.page.get_by_role("button", name="Measure").press("Enter")
    lab.wait_for_job()
    lab.page.get_by_text("Does the circuit carry the answer?").locator(
        "visible=true"
    ).last.wait_for()
    assert_whole(lab.dashboard(), 1400)
    lab.photograph(f"{NAME}-faithfulness", lab.dashboard())


def test_two_circuits_stand_side_by_side_and_a_node_is_chosen_in_both(lab) -> None:
    lab.open_tab("Two circuits")
    lab.page.get_by_role("button", name="Compare", exact=True).press("Enter")
    lab.wait_for_job()
    graphs = lab.page.locator(".mansu-graph").locator("visible=true")
    lab.page.get_by_text("Edge scores correlate").wait_for()
    graphs.nth(1).locator("svg").wait_for()
    assert graphs.count() == 2
    graphs.first.locator(".node[aria-label^='MLP of layer 2']").press("Enter")
    graphs.nth(1).locator(".node.chosen").wait_for()


def test_nothing_is_cut_off_on_a_narrow_or_a_wide_page(lab) -> None:
    for tab in ("Graph", "Heat maps", "Ranking", "Two circuits"):
        lab.open_tab(tab)
        lab.look_at_widths(f"{NAME}-{tab.split()[0].lower()}", lab.dashboard())


def test_nothing_complained_and_nothing_left_the_machine(lab) -> None:
    lab.assert_healthy()
