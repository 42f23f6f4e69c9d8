"""Notebook 1 in a real browser."""

from real_lab import open_notebook


def test_the_circuit_s_size_is_changed_by_keyboard_and_the_chart_follows(
    browser, server, notebook
) -> None:
    with open_notebook(browser, server, notebook("01_localize_circuit")) as lab:
        lab.run_all()
        ranking = lab.page.locator(
            ".jp-OutputArea-output .widget-output svg.marks, .widget-output svg"
        ).first
        ranking.wait_for()
        before = ranking.inner_html()
        lab.photograph("01-dashboard", lab.page.locator(".jupyter-widgets.widget-box").first)
        print(lab.complaints, lab.strangers)
