"""Notebook 1 in a real browser."""

from real_lab import open_notebook

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
        lab.photograph(f"{NAME}-narrow", lab.dashboard())
        lab.assert_healthy()
