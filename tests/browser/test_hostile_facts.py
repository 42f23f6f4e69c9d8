"""Markup in a user's own fact file is text to every dashboard that shows facts."""

import dataclasses
import json

import pytest
from real_lab import Lab, open_notebook

from mansu.study.config import make_config
from mansu.study.folders import Folders
from mansu.study.run import Run

IMAGE = "<img src=x onerror=window.hacked=1>"
BOLD, FORMULA = "<b>bold</b>", "$x_1$"
FACTS = 24
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


@pytest.fixture(scope="module")
def hostile(tiny_config, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on facts whose every part is markup; nothing is computed yet."""
    folder = tmp_path_factory.mktemp("hostile")
    lines: list[dict] = [
        {
            "record": "set",
            "name": "hostile",
            "templates": [
                {"id": "a", "kind": "cloze", "role": "seen", "text": f"{BOLD} {{subject}} is"},
                {"id": "b", "kind": "cloze", "role": "held_out", "text": "Now {subject} is"},
            ],
        }
    ]
    for i in range(FACTS):
        # Unlike first tokens, or the answers could not be told apart by one logit.
        answer = (f"Au {IMAGE}{i}", f"Paris $x_{i}$", f"Fe {BOLD}{i}")[i % 3]
        wrong = [f"{BOLD}{i}{end}" for end in "abc"]
        lines.append(
            {
                "record": "fact",
                "id": f"f{i}",
                "subject": f"{FORMULA}{i} {IMAGE}",
                "answer": answer,
                "distractors": wrong,
            }
        )
    path = folder / "hostile.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    config = make_config({**dataclasses.asdict(tiny_config), "forget": str(path)})
    return Run(config, Folders(folder / "run", folder / "shared"))


def assert_text_only(lab: Lab) -> None:
    lab.page.wait_for_timeout(500)  # an image that fails to load says so after a moment
    assert lab.page.evaluate(MADE) == NOTHING
    lab.assert_healthy()


def test_the_fact_table_shows_markup_as_text(browser, server, put, hostile) -> None:
    with open_notebook(browser, server, put("05_quantize", hostile)) as lab:
        lab.run_all()
        lab.picture().wait_for()
        table = lab.dashboard().locator(".mansu-facts")
        table.get_by_text(f"{FORMULA}0 {IMAGE}").first.wait_for()
        assert_text_only(lab)
        lab.photograph("hostile-facts", lab.dashboard())


def test_a_node_s_examples_show_markup_as_text(browser, server, put, hostile) -> None:
    with open_notebook(browser, server, put("02_inspect_attribution", hostile)) as lab:
        lab.run_all()
        graph = lab.page.locator(".mansu-graph").first
        graph.locator(".node[aria-label^='MLP of layer 0']").press("Enter")
        graph.locator(".panel .token").first.wait_for()
        shown = "".join(graph.locator(".panel").inner_text().split())  # token by token
        assert "<b>bold</b>" in shown
        assert "onerror=window.hacked=1>" in shown
        assert_text_only(lab)
