import dataclasses
import hashlib
import json
from collections import Counter

import pytest

from mansu.data.facts import load_fact_set
from mansu.data.items import build_items
from mansu.errors import InputError


@pytest.fixture(scope="module")
def capitals():
    return load_fact_set("capitals")


@pytest.fixture(scope="module")
def items(capitals):
    return build_items(capitals.facts, capitals.templates, seed=0)


def test_every_fact_is_asked_under_every_template_fact_by_fact(capitals, items):
    expected = [(fact.id, t.id) for fact in capitals.facts for t in capitals.templates]
    assert [(item.fact_id, item.template_id) for item in items] == expected


def test_the_marked_option_is_the_answer_and_the_others_are_its_distractors(capitals, items):
    facts = {fact.id: fact for fact in capitals.facts}
    for item in items:
        fact = facts[item.fact_id]
        assert item.options[item.answer] == f" {fact.answer}"
        others = {option for i, option in enumerate(item.options) if i != item.answer}
        assert len(others) == 3
        assert others <= {f" {distractor}" for distractor in fact.distractors}


def test_the_prompt_is_the_template_with_the_subject_in_place(capitals, items):
    assert items[0].prompt == "The capital city of Afghanistan is"
    assert all("{" not in item.prompt for item in items)


def test_the_right_option_stands_in_every_place_about_equally_often(items):
    places = Counter(item.answer for item in items)
    expected = len(items) / 4
    assert all(abs(places[place] - expected) < 0.15 * expected for place in range(4))


def test_another_template_of_the_same_fact_may_get_other_distractors(items):
    assert len({frozenset(item.options) for item in items[:11]}) > 1


def test_the_same_seed_gives_the_same_items_and_another_seed_others(capitals, items):
    assert build_items(capitals.facts, capitals.templates, seed=0) == items
    assert build_items(capitals.facts, capitals.templates, seed=1) != items


def test_an_item_does_not_depend_on_what_is_built_with_it(capitals, items):
    alone = build_items(capitals.facts[7:8], capitals.templates[3:4], seed=0)
    assert alone[0] == items[7 * len(capitals.templates) + 3]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("elements", "e60c258799d89c7c"),
        ("capitals", "20574aa73deaa399"),
        ("cities", "579e912214b062a4"),
    ],
)
def test_the_plain_items_of_the_built_in_sets_are_drawn_as_ever(name, expected):
    """Every figure so far rests on them."""
    facts = load_fact_set(name)
    drawn = build_items(facts.facts, facts.templates, seed=0)
    told = json.dumps([dataclasses.asdict(item) for item in drawn]).encode()
    assert hashlib.sha256(told).hexdigest()[:16] == expected


def test_two_options_make_an_item(capitals):
    item = build_items(capitals.facts[:1], capitals.templates[:1], seed=0, options=2)[0]
    assert len(item.options) == 2


@pytest.mark.parametrize("options", [-1, 0, 1])
def test_fewer_than_two_options_are_refused(capitals, options):
    with pytest.raises(InputError, match="at least 2 options"):
        build_items(capitals.facts, capitals.templates, seed=0, options=options)


def test_more_options_than_a_fact_has_are_refused_naming_the_fact(capitals):
    poor = dataclasses.replace(capitals.facts[0], distractors=("a", "b"))
    with pytest.raises(InputError, match="'afghanistan' has 2 distractors"):
        build_items([poor], capitals.templates, seed=0)


def test_a_subject_with_braces_is_taken_literally(capitals):
    odd = dataclasses.replace(capitals.facts[0], subject="{subject}{0}")
    item = build_items([odd], capitals.templates[:1], seed=0)[0]
    assert item.prompt == "The capital city of {subject}{0} is"
