"""Prompts: the same facts in every kind; what a set does not give is left out."""

import dataclasses

import pytest

from mansu.attacks import Answers, Target, find_attack, questions
from mansu.attacks.prompts import FILLER, KINDS, prompts
from mansu.data.companions import Companions, load_companions
from mansu.data.facts import FactSet, load_fact_set
from mansu.data.templates import Template, plain

ATTACK = find_attack("prompts")


@pytest.fixture(scope="module")
def capitals() -> FactSet:
    return load_fact_set("capitals")


@pytest.fixture(scope="module")
def target(capitals: FactSet) -> Target:
    return Target(capitals, load_companions(capitals), capitals.held_out, 0.9, "fp")


def in_french(facts: FactSet) -> FactSet:
    template = Template("fr-1", "La capitale du pays {subject} est", "french", "far")
    return dataclasses.replace(facts, probes=(*facts.probes, template))


def test_every_kind_asks_the_same_facts_with_the_same_options(target: Target) -> None:
    plain_items = questions(target)
    for kind in ATTACK.usable(target.facts, target.companions):
        items = prompts(target, kind)
        assert [item.fact_id for item in items] == [item.fact_id for item in plain_items]
        assert [item.options for item in items] == [item.options for item in plain_items]


def test_the_kinds_are_what_they_are_called(target: Target) -> None:
    plain_items = questions(target)
    assert prompts(target, "held-out") == plain_items
    for kind, made in (
        ("lower-case", lambda prompt: prompt.lower()),
        ("filler", lambda prompt: f"{FILLER}\n\n{prompt}"),
    ):
        assert [i.prompt for i in prompts(target, kind)] == [made(i.prompt) for i in plain_items]


def test_few_shot_shows_five_facts_none_of_which_was_to_be_forgotten(target: Target) -> None:
    pool = target.companions.pool
    assert pool is not None
    forgotten = {fact.subject for fact in target.facts.facts}
    answers = {fact.id: fact.answer for fact in target.facts.facts}
    for item, alone in zip(prompts(target, "few-shot"), questions(target), strict=True):
        *shown, asked = item.prompt.split("\n\n")
        assert asked == alone.prompt
        assert len(shown) == 5
        for example in shown:
            assert sum(f.subject in example and f.answer in example for f in pool.facts)
            assert not example.endswith(f" {answers[item.fact_id]}")
            assert not any(f" {subject} " in example for subject in forgotten - {"Georgia"})


def test_what_a_set_does_not_give_is_left_out(target: Target, capitals: FactSet) -> None:
    given = ("held-out", "few-shot", "filler", "lower-case")
    assert ATTACK.usable(capitals, target.companions) == given
    assert set(KINDS) - set(given) == {"french", "spanish", "german", "alias", "two-hop"}
    assert ATTACK.usable(capitals, Companions()) == ("held-out", "filler", "lower-case")
    few = dataclasses.replace(target.companions.pool, facts=target.companions.pool.facts[:4])  # pyright: ignore
    assert "few-shot" not in ATTACK.usable(capitals, Companions(pool=few))
    seen_alone = dataclasses.replace(capitals, templates=capitals.seen)
    assert "held-out" not in ATTACK.usable(seen_alone, target.companions)


def test_a_translation_is_asked_where_the_file_gives_one(target: Target) -> None:
    translated = dataclasses.replace(target, facts=in_french(target.facts))
    assert "french" in ATTACK.usable(translated.facts, target.companions)
    items = prompts(translated, "french")
    assert all(item.prompt.startswith("La capitale du pays ") for item in items)
    assert [i.fact_id for i in items] == [i.fact_id for i in questions(target)]


def test_what_it_finds_is_what_the_model_answers(tiny, target: Target) -> None:
    from mansu.metrics.mcq import score_items

    found = ATTACK.strike(tiny, target, "lower-case", lambda *_: None)
    asked = prompts(target, "lower-case")
    assert all(plain(i.prompt) == i.prompt.casefold().replace("\n", " ") for i in asked)
    assert isinstance(found, Answers)
    assert found.scores.accuracy == score_items(tiny, asked).accuracy
    assert found.setting == "lower-case"
