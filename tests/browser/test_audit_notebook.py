"""Notebook 8 in a real browser: two models by keyboard, and the verdict below the form."""

import shutil

import pytest

from mansu.study.stages import judge
from mansu.study.stages.floor import unlearned_model
from tests.conftest import run_in

NAME = "08_audit"


@pytest.fixture(scope="module")
def checkpoint(finished_run, tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("theirs") / "model"
    with unlearned_model(finished_run) as model:
        model.module.save_pretrained(folder)
        model.tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def lab(opened, finished_run, tmp_path_factory):
    place = tmp_path_factory.mktemp("audits") / "study"  # the form writes into its folder
    shutil.copytree(finished_run.folder.parent, place)
    with opened(NAME, run_in(place, finished_run.config)) as lab:
        lab.run_all()
        yield lab


def test_a_form_takes_two_models_and_says_what_is_wrong_with_them(lab, checkpoint) -> None:
    page, dashboard = lab.page, lab.dashboard()
    page.get_by_role("button", name="Audit", exact=True).press("Enter")
    lab.said("checkpoint: name the unlearned model").wait_for()
    field = dashboard.get_by_role("textbox", name="unlearned model")
    field.fill("tiny-llama")
    field.press("Tab")
    page.get_by_role("button", name="Audit", exact=True).press("Enter")
    lab.said("holds the same files as tiny-llama").wait_for()
    lab.look_at_widths(NAME, dashboard)


def test_the_verdict_appears_below_the_form(lab, checkpoint, finished_run) -> None:
    page, dashboard = lab.page, lab.dashboard()
    field = dashboard.get_by_role("textbox", name="unlearned model")
    field.fill(checkpoint)
    field.press("Tab")
    page.get_by_role("button", name="Audit", exact=True).press("Enter")
    word = judge(finished_run).word
    dashboard.get_by_text(f"The verdict: {word}", exact=True).wait_for()
    assert dashboard.get_by_text("not silenced").count()
    lab.look_at_widths(f"{NAME}-verdict", dashboard)
