"""Passages known by heart: the model that is made for them, and a whole run on them."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from mansu.cli import main
from mansu.collections import draw_pairs, find_recital, load_beside, load_set, load_texts
from mansu.data.items import build_items
from mansu.data.poem import read_passages
from mansu.errors import InputError
from mansu.metrics.recital import follow, recite
from mansu.models import LanguageModel, load_model
from mansu.models.layers import count_layers
from mansu.models.loading import find_model
from mansu.models.recipes import is_gguf, locate_model, taught
from mansu.study.card_text import scorecard_table
from mansu.study.config import make_config
from mansu.study.folders import Folders
from mansu.study.pipeline import run_study
from mansu.study.run import Run
from mansu.study.stages.checks import validator
from mansu.study.state import State
from tests.study.poem import MODEL, OF_A_PART, RETRAINED, use_poem, write_poem
from tests.study.small_sets import FAST

SETS = {"forget": "verbatim:forget", "retain": "verbatim:retain", "utility": "cities"}
ORIGINAL = State("original", "fp")


@pytest.fixture(scope="session")
def poem(once) -> Path:
    """The file of a poem of short lines."""

    def fill(place: Path) -> None:
        place.mkdir()
        write_poem(place / "poem.json")

    return once("poem", fill) / "poem.json"


@pytest.fixture
def knows(poem: Path, monkeypatch) -> LanguageModel:
    use_poem(monkeypatch, poem)
    return load_model(MODEL)


@pytest.fixture
def study(knows: LanguageModel, tmp_path: Path) -> Callable[..., Run]:
    def open_run(**given) -> Run:
        config = make_config({**FAST, **SETS, "model": MODEL, "items": 24, **given})
        return Run(config, Folders(tmp_path / "run", tmp_path / "shared"), model=knows)

    return open_run


def written(model: LanguageModel, part: str, role: str = "seen") -> float:
    facts = load_set(f"verbatim:{part}")
    items = build_items(facts.facts, getattr(facts, role), 0)
    return recite(model, items, find_recital(facts)).accuracy


def test_the_shipped_passages_are_three_equal_parts_and_no_line_is_in_two() -> None:
    parts = {part: read_passages(part) for part in ("forget", "retain", "unread")}
    assert {len(found) for found in parts.values()} == {24}
    lines = [line for found in parts.values() for passage in found for line in passage.lines]
    assert len(lines) == len(set(lines)) == 720
    answers = [passage.answer for passage in read_passages()]
    assert len(set(answers)) == len(answers)
    assert not any(p.answer.lower() in p.question.lower() for p in read_passages())


def test_a_passage_goes_on_under_each_template_as_its_lines_do() -> None:
    facts = load_set("verbatim:forget")
    fact, passage = facts.facts[0], read_passages("forget")[0]
    start, middle, question = (*facts.seen, *facts.held_out, *facts.far)
    assert start.render(fact) == " ".join(passage.lines[:3])
    assert start.follow(fact, fact.answer) == " " + " ".join(passage.lines[3:])
    assert middle.render(fact) == " ".join(passage.lines[3:6])
    assert middle.follow(fact, fact.answer) == " " + " ".join(passage.lines[6:])
    assert question.render(fact) == f"Question: {passage.question}\nAnswer:"
    assert question.follow(fact, fact.answer) == f" {passage.answer}"
    unread = {passage.words(3) for passage in read_passages("unread")}
    assert {wrong for fact in facts.facts for wrong in fact.distractors} <= unread


def test_a_taught_model_recites_what_it_read_and_nothing_else(knows: LanguageModel) -> None:
    assert written(knows, "forget") >= 0.9
    assert written(knows, "retain") >= 0.9
    assert written(knows, "unread") <= 0.4
    retrained = load_model(RETRAINED)
    assert written(retrained, "retain") >= 0.9
    assert written(retrained, "forget") <= 0.4


def test_its_weights_are_such_as_bfloat16_holds(knows: LanguageModel) -> None:
    for weight in knows.module.parameters():
        assert torch.equal(weight, weight.bfloat16().float())


def test_a_taught_model_is_named_after_the_one_that_was_taught(model_folder: Path) -> None:
    assert taught("own+verbatim") == ("own", "verbatim")
    assert taught("own+else") == ("own+else", "")
    assert count_layers(MODEL) == count_layers("tiny-llama")
    assert locate_model(f"{model_folder}+verbatim") == f"{model_folder}+verbatim"
    assert is_gguf("smollm2-135m+verbatim")
    assert find_model(MODEL, weights=False) == find_model("tiny-llama", weights=False)


def test_the_verdict_stands_on_what_is_written(study) -> None:
    run = study(formats=["nf4"], retrained=RETRAINED)
    card = run_study(run)
    leaked = card.rows.at("benchmark", "forget", "privleak", ORIGINAL, "value").value
    assert leaked is not None
    assert leaked < -0.8  # it tells them from what nobody read, and the retrained one does not
    assert card.chance == 0.0
    assert "of forget, retain: ROUGE-L F1 of what is written" in " ".join(
        scorecard_table(card).split()
    )
    told = next(verdict for verdict in card.verdicts if verdict.name == "forgotten").reason
    for view, role in (("seen", "seen"), ("far", "far")):
        before = card.rows.at("forget", view, "accuracy", ORIGINAL, "value")
        assert before.value == pytest.approx(written(run.model, "forget", role))
        assert f"{view} FP {before.value:.2f} → " in told
        level = card.rows.at("forget", view, "level_accuracy", ORIGINAL, "value")
        assert level.value == pytest.approx(written(run.model, "unread", role))
    assert card.rows.at("retain", "all", "accuracy", ORIGINAL, "value").n == 2 * sum(
        fact.split == "held_out" for fact in run.retain.facts
    )


def test_a_training_checks_itself_on_the_tokens_it_would_say(study, knows) -> None:
    run = study()
    facts = run.forget
    untouched: Any = SimpleNamespace(precisions=("fp",), weights={"fp": {}})
    check = validator(run, 0)(untouched, 0)
    items = build_items(facts.facts, facts.seen, 0)
    assert check.forget == pytest.approx(follow(knows, items).shares.mean())
    unread = load_set("verbatim:unread")
    other = build_items(unread.facts, unread.seen, 0)
    assert check.level == pytest.approx(follow(knows, other).shares.mean())
    assert (check.retain_drop, check.fall) == (0.0, 0.0)


def test_pairs_are_beginnings_of_two_passages_under_the_template_that_is_trained(knows) -> None:
    facts = load_set("verbatim:forget")
    pairs = draw_pairs(facts, knows.tokenizer, 6, 0)
    assert len(pairs) == 6
    assert {pair.template_id for pair in pairs} == {"start"}
    assert all(len(pair.clean) == len(pair.corrupted) for pair in pairs)


def test_unread_passages_stand_in_for_invented_subjects(poem: Path, monkeypatch) -> None:
    use_poem(monkeypatch, poem)
    beside = load_beside(load_set("verbatim:forget"))
    assert beside.twin is not None
    assert len(beside.twin.facts) == OF_A_PART
    assert load_beside(load_set("verbatim:retain")).twin is None


def test_an_unknown_part_is_refused_in_one_sentence(capsys) -> None:
    with pytest.raises(InputError, match="forget"):
        load_set("verbatim:all")
    assert main(["run", "--forget", "verbatim:all"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_damaged_passages_are_refused_in_one_sentence(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "poem.json").write_text('[{"part": "forget"}]', encoding="utf-8")
    use_poem(monkeypatch, tmp_path / "poem.json")
    with pytest.raises(InputError, match="restore them from the repository"):
        load_set("verbatim:forget")


def test_an_attack_that_asks_for_a_choice_is_refused_beside_answers_in_writing(study) -> None:
    with pytest.raises(InputError, match="answered in writing"):
        study(attacks=["relearn"])


def test_only_what_is_to_be_forgotten_is_told_from_what_nobody_read() -> None:
    assert set(load_texts(load_set("verbatim:forget"))) == {"forget", "holdout"}
    assert load_texts(load_set("verbatim:retain")) == {}
