"""Calibration on the forget set: the format reads its texts, beside the utility text."""

import sys
from pathlib import Path

import pytest
import torch

from mansu.attacks import Answers, Target, find_attack
from mansu.attacks.calibrate import FORGET, UTILITY, texts
from mansu.cli import main
from mansu.data.companions import load_companions
from mansu.data.facts import load_fact_set
from mansu.errors import InputError
from mansu.quant.calibration import cut_rows
from mansu.study.config import make_config
from mansu.study.folders import Folders
from mansu.study.pipeline import run_study
from mansu.study.run import Run
from tests.attacks.test_relearning import assert_untouched, weights
from tests.faults.harness import OPTIONS
from tests.study.small_sets import FAST, hurry, write_sets

TOY = '''"""Every linear weight moved a little, by the first token that is read."""

from mansu.quant.calibration import calibrated

SEEN = []


def change(model, rows):
    SEEN.append(rows)
    names = model.family.linear_weight_names(model.module)
    share = 1 + 1e-4 * float(rows[0, 0])
    return {name: share * model.module.get_parameter(name).data for name in names}


FORMAT = calibrated("toy", "Toy", change, "#000000")
'''
UNREAD = "calibrate deploys the model in a calibrated format, and none is measured"


@pytest.fixture
def toy(tmp_path: Path, monkeypatch) -> None:
    """A calibrated format of one's own that needs no library."""
    (tmp_path / "plugs" / "formats").mkdir(parents=True)
    (tmp_path / "plugs" / "formats" / "toy.py").write_text(TOY)
    monkeypatch.setenv("MANSU_PLUGS", str(tmp_path / "plugs"))
    monkeypatch.delitem(sys.modules, "mansu_plugs.formats.toy", raising=False)


def test_the_texts_are_every_fact_with_its_answer_under_every_template() -> None:
    facts = load_fact_set("capitals")
    said = [
        template.render(fact) + template.follow(fact, fact.answer)
        for template in facts.templates
        for fact in facts.facts
    ]
    text = texts(facts)
    assert len(text) == sum(map(len, said)) + len(said) - 1
    assert all(sentence in text for sentence in said)


@pytest.mark.usefixtures("toy")
def test_each_setting_deploys_the_model_calibrated_on_its_own_text(each_tiny) -> None:
    facts = load_fact_set("elements")
    target = Target(facts, load_companions(facts), facts.held_out, 0.9, "toy")
    before, plug = weights(each_tiny), find_attack("calibrate")
    for setting in plug.settings:
        found = plug.strike(each_tiny, target, setting, lambda *_: None)
        assert isinstance(found, Answers)
        assert found.setting == setting
    assert_untouched(each_tiny, before)
    seen = sys.modules["mansu_plugs.formats.toy"].SEEN
    assert torch.equal(seen[0], cut_rows(each_tiny.tokenizer))
    assert torch.equal(seen[1], cut_rows(each_tiny.tokenizer, texts(facts)))
    assert not torch.equal(seen[0], seen[1])


def test_it_is_tried_in_calibrated_formats_alone() -> None:
    assert find_attack("calibrate").tried(("fp", "nf4", "autoround", "gptq")) == (
        "autoround",
        "gptq",
    )
    assert find_attack("prune").tried(("fp", "nf4")) == ("fp", "nf4")
    with pytest.raises(InputError, match=UNREAD):
        find_attack("calibrate").tried(("fp", "nf4"))


def told(capsys, place: Path, *words: str) -> str:
    assert main(["run", *OPTIONS, "--out", str(place / "out"), *words]) == 2
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    assert not (place / "out").exists()
    return said.err


def test_without_a_calibrated_format_it_is_refused_before_any_work(tmp_path, capsys) -> None:
    assert UNREAD in told(capsys, tmp_path, "--attacks", "calibrate", "--formats", "nf4")


def test_without_the_library_it_is_refused_with_how_to_get_it(
    tmp_path, capsys, monkeypatch
) -> None:
    monkeypatch.setitem(sys.modules, "auto_round", None)
    said = told(capsys, tmp_path, "--attacks", "calibrate", "--formats", "autoround")
    assert "needs auto_round" in said
    assert said.endswith("pip install 'mansu[formats]'\n")


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize("whose", ["the utility text", "the forget set's text"])
def test_a_text_that_is_too_short_is_refused_before_any_work(
    tmp_path, capsys, monkeypatch, whose
) -> None:
    if whose == "the utility text":
        monkeypatch.setattr("mansu.quant.calibration.utility_text", lambda: "Too short.")
    else:
        monkeypatch.setattr("mansu.attacks.calibrate.ATTACK", short())
    said = told(capsys, tmp_path, "--attacks", "calibrate", "--formats", "toy")
    assert f"calibration: {whose} gives" in said
    assert "give a longer one, or leave the format out" in said


def short():
    import dataclasses

    return dataclasses.replace(find_attack("calibrate"), texts=lambda facts: "Too short.")


@pytest.mark.usefixtures("toy")
def test_both_texts_stand_side_by_side_in_the_scorecard(tmp_path, monkeypatch) -> None:
    hurry(monkeypatch)
    asked = {"formats": "nf4,toy", "attacks": "calibrate"}
    config = make_config({**FAST, **write_sets(tmp_path), **asked})
    card = run_study(Run(config, Folders(tmp_path / "run", tmp_path / "shared")))
    found = {
        (row.view, row.format): row.value
        for row in card.numbers.where(metric="attacked_accuracy", origin="unlearned")
    }
    assert set(found) == {(f"calibrate/{text}", "toy") for text in (UTILITY, FORGET)}
    worst = card.numbers.where(metric="worst_accuracy", view="calibrate")
    assert [row.value for row in worst] == [max(value for value in found.values() if value)]
