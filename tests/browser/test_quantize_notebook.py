"""Notebook 5 in a real browser."""

import pytest

NAME = "05_quantize"
TABLE = ".mansu-facts"


@pytest.fixture(scope="module")
def lab(opened, dual_run):
    with opened(NAME, dual_run) as lab:
        lab.run_all()
        lab.picture().wait_for()
        yield lab


def place_in(lab, part) -> tuple[float, ...]:
    """Where a part of the dashboard lies within it, wherever the page is scrolled to."""
    whole, own = lab.dashboard().bounding_box(), part.bounding_box()
    return own["x"] - whole["x"], own["y"] - whole["y"], own["width"], own["height"]


def test_other_questions_are_chosen_by_keyboard_and_chart_and_facts_follow(lab) -> None:
    before = lab.picture().inner_html()
    table = lab.dashboard().locator(TABLE)
    table.get_by_text("hydrogen").wait_for()
    choice = lab.dashboard().get_by_label("questions", exact=True)
    choice.focus()
    lab.page.keyboard.press("End")
    lab.wait_for_another_picture(before)
    table.get_by_text("hydrogen").wait_for(state="detached")
    lab.page.keyboard.press("Home")
    table.get_by_text("hydrogen").wait_for()
    prompt = lab.dashboard().get_by_role("checkbox").first
    assert prompt.is_checked()
    all_of_them = lab.picture().inner_html()
    prompt.press("Space")
    lab.wait_for_another_picture(all_of_them)
    lab.said("under 6 of 7 prompts").wait_for()
    prompt.press("Space")
    lab.said("under 7 of 7 prompts").wait_for()


def test_facts_are_searched_and_judged_by_keyboard_and_the_page_does_not_jump(lab) -> None:
    label = "known from (questions right)"
    table = lab.dashboard().locator(TABLE)
    place = place_in(lab, table)
    readout = lab.readout(label)
    lab.press_slider(label, "Home")
    assert lab.readout(label) == "1" != readout
    search = lab.dashboard().get_by_label("search facts")
    search.focus()
    lab.page.keyboard.type("hydrog")
    lab.said("1 of 100 facts are listed").wait_for()
    assert table.locator("tbody tr").count() == 1
    assert place_in(lab, table) == place
    search.fill("")
    lab.said("100 of 100 facts are listed").wait_for()


def test_four_models_go_on_with_a_prompt_that_is_typed(lab) -> None:
    prompt = lab.dashboard().get_by_label("prompt", exact=True)
    prompt.focus()
    lab.page.keyboard.press("Control+A")
    lab.page.keyboard.type("The chemical symbol for <b>gold</b> is")
    below = lab.dashboard().get_by_role("button", name="Copy mansu run line")
    place = place_in(lab, below)
    lab.page.get_by_role("button", name="Ask", exact=True).press("Enter")
    lab.wait_for_job()
    answers = lab.dashboard().locator(".mansu-answers")
    assert "<b>gold</b>" in answers.inner_text()
    assert answers.locator(".said").count() == 4
    assert all(text.strip() for text in answers.locator(".said").all_inner_texts())
    lab.dashboard().get_by_text("What each model would say next").wait_for()
    assert place_in(lab, below) == place


def test_nothing_is_cut_off_on_a_narrow_or_a_wide_page(lab) -> None:
    lab.look_at_widths(NAME, lab.dashboard())


def test_nothing_complained_and_nothing_left_the_machine(lab) -> None:
    lab.assert_healthy()
