"""T and V are apart: no fact, no answer of one is in the other, and a seed settles the split."""

from dataclasses import replace

import pytest

from mansu.attacks.base import ask
from mansu.attacks.relearning.halves import halve
from mansu.data.facts import load_fact_set
from mansu.errors import InputError


def ids(facts) -> set[str]:
    return {fact.id for fact in facts}


@pytest.mark.parametrize("name", ["elements", "capitals", "us_cities", "cities", "opposites"])
def test_the_halves_share_no_fact_and_together_are_the_set(name: str) -> None:
    facts = load_fact_set(name)
    halves = halve(facts)
    assert not ids(halves.taught) & ids(halves.untaught)
    assert ids(halves.taught) | ids(halves.untaught) == ids(facts.facts)


@pytest.mark.parametrize("name", ["elements", "us_cities", "cities", "opposites", "languages"])
def test_no_answer_of_the_untaught_facts_is_taught(name: str) -> None:
    halves = halve(load_fact_set(name))
    assert not {f.answer for f in halves.taught} & {f.answer for f in halves.untaught}


@pytest.mark.parametrize("name", ["elements", "capitals", "us_cities"])
def test_the_halves_are_equal_to_one_answer_s_facts(name: str) -> None:
    halves = halve(load_fact_set(name))
    assert 0 <= len(halves.taught) - len(halves.untaught) <= 2


def test_the_split_depends_on_ids_and_seed_alone() -> None:
    facts = load_fact_set("us_cities")
    turned = replace(facts, facts=facts.facts[::-1])
    assert halve(facts) == halve(turned) == halve(facts)
    assert halve(facts, seed=1) != halve(facts, seed=2)


def test_a_set_of_one_answer_has_no_other_half() -> None:
    facts = load_fact_set("us_cities")
    one = replace(facts, facts=tuple(replace(f, answer="Utah") for f in facts.facts))
    with pytest.raises(InputError, match="all facts of 'us_cities' have one answer"):
        halve(one)
    with pytest.raises(InputError, match="add facts"):
        halve(replace(facts, facts=facts.facts[:1]))


def test_every_fact_is_asked_as_often_as_any_other() -> None:
    facts = load_fact_set("elements")
    for most, rounds in ((250, 2), (120, 1), (10**6, len(facts.held_out))):
        items = ask(facts.facts, facts.held_out, most, 0)
        asked = [item.fact_id for item in items]
        assert {asked.count(fact.id) for fact in facts.facts} == {rounds}
        assert len({(item.fact_id, item.template_id) for item in items}) == len(items)
        assert {item.template_id for item in items} == {t.id for t in facts.held_out}
    assert len(ask(facts.facts, facts.held_out, 30, 0)) == 30
