import re
import runpy
from collections import Counter

import pytest

from mansu.data import folder
from mansu.data.companions import load_companions
from mansu.data.facts import fact_set_names, load_fact_set, require_disjoint
from mansu.data.fitting import check_fits
from mansu.data.items import build_items
from mansu.data.schema import COMPANIONS, FAR_KINDS, LANGUAGES
from mansu.data.text import utility_text
from mansu.errors import InputError

NAMES = (
    "atomic_numbers",
    "capitals",
    "cities",
    "continents",
    "elements",
    "heavy_elements",
    "languages",
    "more_us_cities",
    "opposites",
    "state_capitals",
    "units",
    "us_cities",
)
TWINS = ("capitals_invented", "cities_invented", "elements_invented", "us_cities_invented")
# Sets that may be unlearned, and those that are only measured beside them.
FORGET = ("capitals", "us_cities", "elements")
WORDINGS = ("cloze", "possessive", "question")
MEASURED = ("languages", "opposites", "state_capitals", "units")


@pytest.fixture(scope="module", params=NAMES + TWINS)
def fact_set(request):
    return load_fact_set(request.param)


def test_these_sets_are_built_in():
    assert fact_set_names() == NAMES
    files = {path.stem for path in folder.DATA_FOLDER.glob("*.jsonl")}
    assert files == {*NAMES, *TWINS}


def test_running_the_stated_command_writes_the_committed_bytes(monkeypatch):
    monkeypatch.syspath_prepend(folder.DATA_FOLDER)  # as for a script
    generated = runpy.run_path(str(folder.DATA_FOLDER / "build.py"))["build"]()
    assert set(generated) == {f"{name}.jsonl" for name in NAMES + TWINS}
    for file, content in generated.items():
        assert (folder.DATA_FOLDER / file).read_bytes() == content, file


def test_the_file_is_named_after_the_set_and_states_its_provenance(fact_set):
    assert fact_set.path.stem == fact_set.name
    assert fact_set.description
    assert fact_set.source
    assert fact_set.license in ("CC-BY-4.0", "Public domain", "Unicode-3.0", "Apache-2.0")


def test_both_roles_of_templates_use_every_kind(fact_set):
    kinds = {"cloze", "question"} if fact_set.name in MEASURED else set(WORDINGS)
    for templates in (fact_set.seen, fact_set.held_out):
        assert kinds <= {template.kind for template in templates} <= set(WORDINGS)


def test_possessive_templates_are_possessive_and_questions_ask(fact_set):
    for template in fact_set.templates:
        if template.kind == "possessive":
            assert "'s" in template.text.split("{subject}")[1]
        assert (template.kind == "question") == ("?" in template.text)


def test_every_fact_has_seven_distractors_or_all_there_are_that_answer_other_facts(fact_set):
    answers = {fact.answer for fact in fact_set.facts}
    real = fact_set.name.removesuffix("_invented")
    offered = {fact.answer for fact in load_fact_set(real).facts}  # a twin keeps the real options
    most = min(7, len(answers | offered) - 1)  # there are six continents
    for fact in fact_set.facts:
        assert len(set(fact.distractors) - {fact.answer}) == most
        assert set(fact.distractors) <= answers | offered


def test_about_half_of_the_facts_are_held_out(fact_set):
    train, held_out = (
        Counter(fact.group for fact in facts) for facts in (fact_set.train, fact_set.held_out_facts)
    )
    if fact_set.name != "more_us_cities":  # single cities of many states
        assert all(abs(train[group] - held_out[group]) <= 1 for group in train | held_out)


def test_names_are_plain_ascii(fact_set):
    for fact in fact_set.facts:
        assert all(text.isascii() for text in (fact.id, fact.subject, *fact.options))


def test_no_answer_can_be_read_off_its_subject(fact_set):
    if fact_set.name in ("capitals", "cities", "us_cities", "state_capitals", "languages"):
        for fact in fact_set.facts:
            assert fact.answer.lower() not in fact.subject.lower()
            assert fact.subject.lower().removeprefix("the ") not in fact.answer.lower()


def test_one_hundred_symbols_are_distinct_and_as_long_as_their_distractors():
    facts = load_fact_set("elements").facts
    assert len({fact.answer for fact in facts}) == 100
    for fact in facts:
        assert {len(option) for option in fact.options} == {len(fact.answer)}


@pytest.mark.parametrize("name", FORGET)
def test_a_forget_set_has_far_prompts_of_every_kind_and_all_companions(name):
    facts = load_fact_set(name)
    assert {t.kind for t in facts.far} == {*FAR_KINDS} - {*LANGUAGES}
    assert facts.reverse
    assert set(facts.companions) == set(COMPANIONS)
    assert len(facts.facts) >= 90


@pytest.mark.parametrize("name", FORGET)
def test_neighbours_and_far_sets_give_three_hundred_items(name):
    companions = load_companions(load_fact_set(name))
    for measured in (companions.neighbours, companions.far_utility):
        assert measured is not None
        assert len(build_items(measured.facts, measured.templates, seed=0)) >= 300


@pytest.mark.parametrize("name", TWINS)
def test_a_twin_asks_its_sets_questions_about_other_subjects(name):
    twin, real = load_fact_set(name), load_fact_set(name.removesuffix("_invented"))
    assert [t.text for t in twin.templates] == [t.text for t in real.templates]
    assert len(twin.facts) == len(real.facts)
    if name != "elements_invented":
        assert [fact.options for fact in twin.facts] == [fact.options for fact in real.facts]


def test_invented_symbols_follow_the_spelling_of_the_real_ones():
    shares, lengths = [], []
    for name in ("elements", "elements_invented"):
        facts = load_fact_set(name).facts
        same = [fact.subject[0].upper() == fact.answer[0] for fact in facts]
        shares.append(sum(same) / len(same))
        lengths.append(Counter(len(fact.answer) for fact in facts))
    assert abs(shares[0] - shares[1]) < 0.05
    assert lengths[0] == lengths[1]


@pytest.mark.parametrize("name", FORGET)
def test_no_option_is_more_frequent_than_another_so_frequency_tells_nothing(name):
    facts = load_fact_set(name)
    assert len(set(Counter(fact.answer for fact in facts.facts).values())) == 1


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
        ("us_cities", "Seattle", "Washington"),
        ("state_capitals", "Texas", "Austin"),
        ("languages", "Brazil", "Portuguese"),
        ("languages", "Austria", "German"),
        ("units", "newton", "N"),
        ("opposites", "hot", "cold"),
        ("heavy_elements", "oganesson", "Og"),
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


def test_the_utility_text_is_prose_of_more_than_ten_thousand_tokens():
    text = utility_text()
    assert len(re.findall(r"[A-Za-z]+", text)) >= 8500  # 11,131 tokens of SmolLM2
    assert text.isascii()
    assert "CHAPTER" not in text
    assert text.startswith("Alice was beginning to get very tired of sitting by her sister")


def test_a_package_without_its_data_folder_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "DATA_FOLDER", tmp_path / "data")
    for use in (fact_set_names, utility_text, lambda: load_fact_set("elements")):
        with pytest.raises(InputError, match="pip install -e"):
            use()


def test_a_missing_utility_text_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "DATA_FOLDER", tmp_path)
    with pytest.raises(InputError, match=r"utility_text\.txt is missing"):
        utility_text()
