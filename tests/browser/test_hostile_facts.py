"""A user's own facts in every dashboard: markup is text, and no text is cut off in any font."""

import dataclasses
import json

import nbformat
import pytest
from playwright.sync_api import Locator
from real_lab import NARROW, WIDE, Lab, assert_whole, open_notebook

from mansu.study.config import make_config
from mansu.study.run import Run
from tests.conftest import run_in

IMAGE = "<img src=x onerror=window.hacked=1>"
BOLD, FORMULA = "<b>bold</b>", "$x_1$"
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerk"
WIDE_LETTERS = "氢元素的化学符号是什么呢🧪🔬"
FACTS = 24
SHORT = {"pairs": 6, "fisher_examples": 16, "steps": 4, "validate_every": 2}
BOARDS = ("localize", "inspect", "train", "floor", "quantize", "analyse")
# Nothing that a browser made out of a fact: no element, no script, no formula.
MADE = """() => ({
    images: document.querySelectorAll("img[src='x']").length,
    bold: [...document.querySelectorAll('.jp-Notebook b')].filter(
        b => b.textContent.startsWith('bold')).length,
    formulas: [...document.querySelectorAll('mjx-container')].filter(
        f => f.closest('.jp-OutputArea')).length,
    hacked: window.hacked ?? null,
})"""
NOTHING = {"images": 0, "bold": 0, "formulas": 0, "hacked": None}
# A typewriter's letters are wider than those of any font that a page is likely to be set in.
FONT = "* { font-family: monospace, sans-serif !important; }"
FONT_OF_CHARTS = "from mansu.lab import theme; theme._CONFIG['font'] = {!r}"


@pytest.fixture(scope="module")
def hostile(tiny_config, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on facts of markup, long words and wide letters; nothing is computed yet."""
    folder = tmp_path_factory.mktemp("hostile")
    texts = {"a": f"{BOLD} {LONG} {{subject}} is", "b": f"{WIDE_LETTERS} {{subject}} is"}
    roles = {"a": "seen", "b": "held_out"}
    templates = [
        {"id": name, "kind": "cloze", "role": roles[name], "text": text}
        for name, text in texts.items()
    ]
    lines: list[dict] = [{"record": "set", "name": "hostile", "templates": templates}]
    for i in range(10, 10 + FACTS):  # two digits: pairs need prompts of equal length
        # Unlike first tokens, or the answers could not be told apart by one logit.
        answer = (f"Au {IMAGE}{i}", f"Paris $x_{i}$ {LONG}", f"Fe {BOLD}{i}")[i % 3]
        subject = (f"{FORMULA}{i} {IMAGE}", f"{LONG}{i}", f"{WIDE_LETTERS}{i}")[i // 3 % 3]
        wrong = [f"{BOLD}{i}{end}" for end in "abc"]
        fact = {"id": f"f{i}", "subject": subject, "answer": answer, "distractors": wrong}
        lines.append({"record": "fact", **fact})
    path = folder / f"{LONG}-{LONG}.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    config = make_config({**dataclasses.asdict(tiny_config), **SHORT, "forget": str(path)})
    return run_in(folder, config)


@pytest.fixture(scope="module")
def lab(jupyterlab, server, hostile):
    values = {**dataclasses.asdict(hostile.config), "out": str(hostile.folder)}
    opening = "from mansu.lab import dashboards\nfrom mansu.lab.open import open_run\n"
    sources = [f"{opening}run = open_run(**{values!r})", *map("dashboards.{}(run)".format, BOARDS)]
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), server.folder / "hostile.ipynb")
    with open_notebook(jupyterlab, "hostile.ipynb") as lab:
        lab.run_all()
        yield lab
        lab.execute(FONT_OF_CHARTS.format(_font()))


def _font() -> str:
    from mansu.lab import theme

    return theme._CONFIG["font"]


def board(lab: Lab, name: str) -> Locator:
    """One of the dashboards, brought into sight."""
    lab.scroll_to(f"dashboards.{name}(run)")
    cell = lab.page.locator(".jp-CodeCell").filter(has_text=f"dashboards.{name}(run)")
    found = cell.locator(".mansu-dashboard").first
    found.wait_for()
    return found


def assert_text_only(lab: Lab) -> None:
    lab.page.wait_for_timeout(500)  # an image that fails to load says so after a moment
    assert lab.page.evaluate(MADE) == NOTHING
    lab.assert_healthy()


def ask(lab: Lab) -> None:
    """What is shown at a press alone: four answers, and two circuits side by side."""
    deployed = board(lab, "quantize")
    deployed.locator(".mansu-pane svg.marks").first.wait_for()
    deployed.get_by_role("button", name="Ask", exact=True).press("Enter")
    lab.wait_for_job(deployed)
    deployed.get_by_text("What each model would say next").wait_for()
    inspected = board(lab, "inspect")
    lab.open_tab("Two circuits", inspected)
    inspected.get_by_role("button", name="Compare", exact=True).press("Enter")
    lab.wait_for_job(inspected)
    inspected.get_by_text("Edge scores correlate").wait_for()


def assert_nothing_is_cut_off(lab: Lab, name: str) -> None:
    for width in (NARROW, WIDE):
        lab.page.set_viewport_size({"width": width, "height": 2000})
        for one in BOARDS:
            shown = board(lab, one)
            assert_whole(shown, width)
            if one in ("inspect", "quantize"):
                lab.photograph(f"hostile-{one}-{name}-{width}", shown)


def test_the_fact_table_shows_markup_as_text(lab) -> None:
    table = board(lab, "quantize").locator(".mansu-facts")
    table.get_by_text(f"{FORMULA}10 {IMAGE}").first.wait_for()
    assert_text_only(lab)


def test_a_node_s_examples_show_markup_as_text(lab) -> None:
    graph = board(lab, "inspect").locator(".mansu-graph").first
    graph.locator(".node[aria-label^='MLP of layer 0']").press("Enter")
    graph.locator(".panel .token").first.wait_for()
    shown = "".join(graph.locator(".panel").inner_text().split())  # token by token
    assert "<b>bold</b>" in shown
    assert "onerror=window.hacked=1>" in shown
    assert_text_only(lab)


def test_nothing_is_cut_off_on_a_narrow_or_a_wide_page(lab) -> None:
    ask(lab)
    assert_nothing_is_cut_off(lab, "own-font")


def test_nothing_is_cut_off_where_the_default_font_is_a_wide_one(lab) -> None:
    style = lab.page.add_style_tag(content=FONT)
    lab.execute(FONT_OF_CHARTS.format("monospace, sans-serif"))
    lab.run_all()
    ask(lab)
    assert_nothing_is_cut_off(lab, "wide-font")
    assert_text_only(lab)
    style.evaluate("style => style.remove()")
