import re
import runpy
from collections import Counter

import pytest

from mansu.data import folder
from mansu.data.facts import fact_set_names, load_fact_set, require_disjoint
from mansu.data.fitting import check_fits
from mansu.data.items import build_items
from mansu.data.text import utility_text
from mansu.errors import InputError

NAMES = ("atomic_numbers", "capitals", "cities", "elements")


@pytest.fixture(scope="module", params=NAMES)
def fact_set(request):
    return load_fact_set(request.param)


def test_these_sets_are_built_in():
    assert fact_set_names() == NAMES


def test_running_the_stated_command_writes_the_committed_bytes():
    generated = runpy.run_path(str(folder.DATA_FOLDER / "build.py"))["build"]()
    assert set(generated) == {f"{name}.jsonl" for name in NAMES}
    for file, content in generated.items():
        assert (folder.DATA_FOLDER / file).read_bytes() == content, file


def test_the_file_is_named_after_the_set_and_states_its_provenance(fact_set):
    assert fact_set.path.stem == fact_set.name
    assert fact_set.description
    assert fact_set.source
    assert fact_set.license in ("CC-BY-4.0", "Public domain")


def test_both_roles_of_templates_use_every_kind(fact_set):
    for templates in (fact_set.seen, fact_set.held_out):
        assert {template.kind for template in templates} == {"cloze", "possessive", "question"}


def test_possessive_templates_are_possessive_and_questions_ask(fact_set):
    for template in fact_set.templates:
        if template.kind == "possessive":
            assert "'s" in template.text.split("{subject}")[1]
        assert (template.kind == "question") == ("?" in template.text)


def test_every_fact_has_seven_distractors_that_answer_other_facts(fact_set):
    answers = {fact.answer for fact in fact_set.facts}
    for fact in fact_set.facts:
        assert len(set(fact.distractors) - {fact.answer}) == 7
        assert set(fact.distractors) <= answers


def test_about_half_of_the_facts_are_held_out(fact_set):
    assert abs(len(fact_set.train) - len(fact_set.held_out_facts)) <= 1


def test_names_are_plain_ascii(fact_set):
    for fact in fact_set.facts:
        assert all(text.isascii() for text in (fact.id, fact.subject, *fact.options))


def test_no_answer_can_be_read_off_its_subject(fact_set):
    if fact_set.name in ("capitals", "cities"):
        for fact in fact_set.facts:
            assert fact.answer.lower() not in fact.subject.lower()
            assert fact.subject.lower().removeprefix("the ") not in fact.answer.lower()


def test_one_hundred_symbols_are_distinct_and_as_long_as_their_distractors():
    facts = load_fact_set("elements").facts
    assert len({fact.answer for fact in facts}) == 100
    for fact in facts:
        assert {len(option) for option in fact.options} == {len(fact.answer)}


@pytest.mark.parametrize(
    ("name", "subject", "answer"),
    [
        ("elements", "iron", "Fe"),
        ("elements", "fermium", "Fm"),
        ("atomic_numbers", "26", "iron"),
        ("capitals", "Kazakhstan", "Astana"),
        ("capitals", "the Philippines", "Manila"),
        ("capitals", "Switzerland", "Bern"),
        ("cities", "Osaka", "Japan"),
        ("cities", "Melbourne", "Australia"),
    ],
)
def test_well_known_facts_are_right(name, subject, answer):
    facts = {fact.subject: fact.answer for fact in load_fact_set(name).facts}
    assert facts[subject] == answer


@pytest.mark.parametrize("subject", ["South Africa", "Bolivia", "Singapore", "Mexico", "Israel"])
def test_states_without_one_plain_capital_are_left_out(subject):
    assert subject not in {fact.subject for fact in load_fact_set("capitals").facts}


def test_every_continent_is_split_in_halves():
    capitals = load_fact_set("capitals")
    train = Counter(fact.group for fact in capitals.train)
    held_out = Counter(fact.group for fact in capitals.held_out_facts)
    assert set(train) == {
        "Africa",
        "Asia",
        "Europe",
        "North America",
        "Oceania",
        "South America",
    }
    assert all(abs(train[group] - held_out[group]) <= 1 for group in train)


def test_no_city_is_a_capital_and_every_country_has_four_cities():
    cities = load_fact_set("cities")
    capitals = {fact.answer for fact in load_fact_set("capitals").facts}
    assert not capitals & {fact.subject for fact in cities.facts}
    assert set(Counter(fact.answer for fact in cities.facts).values()) == {4}
    assert len(cities.facts) >= 150


def test_retain_and_utility_give_three_hundred_items_each():
    capitals, cities = load_fact_set("capitals"), load_fact_set("cities")
    assert len(build_items(capitals.held_out_facts, capitals.templates, seed=0)) >= 300
    assert len(build_items(cities.facts, cities.templates, seed=0)) >= 300


@pytest.mark.parametrize(
    ("forget", "retain"),
    [(a, b) for i, a in enumerate(NAMES) for b in NAMES[i + 1 :]],
)
def test_the_built_in_sets_share_no_fact(forget, retain):
    require_disjoint(load_fact_set(forget), load_fact_set(retain))


def test_a_model_can_be_asked_every_fact_in_every_wording(fact_set, tokenizer):
    check_fits(fact_set, tokenizer, rows=700, context=128)


def test_the_utility_text_is_a_passage_of_plain_english():
    text = utility_text()
    assert 600 <= len(re.findall(r"[A-Za-z]+", text)) <= 900
    assert text.isascii()


def test_a_package_without_its_data_folder_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "DATA_FOLDER", tmp_path / "data")
    for use in (fact_set_names, utility_text, lambda: load_fact_set("elements")):
        with pytest.raises(InputError, match="pip install -e"):
            use()


def test_a_missing_utility_text_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "DATA_FOLDER", tmp_path)
    with pytest.raises(InputError, match=r"utility_text\.txt is missing"):
        utility_text()
