"""Benign relearning: the forget set's sentences, and never a fact of it."""

import pytest

from mansu.attacks import Target, find_attack
from mansu.attacks.base import Relearning
from mansu.attacks.benign import taught
from mansu.attacks.relearning import tuning
from mansu.data.companions import Companions, load_companions
from mansu.data.facts import fact_set_names, load_fact_set
from mansu.data.templates import plain
from mansu.errors import InputError
from tests.attacks.test_relearning import assert_untouched, weights

ATTACK = find_attack("benign")
FORGET = [name for name in fact_set_names() if load_fact_set(name).companions]


@pytest.mark.parametrize("name", FORGET)
def test_no_fact_of_the_forget_set_is_ever_taught(name: str) -> None:
    facts = load_fact_set(name)
    benign = taught(facts, load_companions(facts))
    assert benign
    assert not {plain(f.subject) for f in benign} & {plain(f.subject) for f in facts.facts}
    stated = {plain(t.render(f) + t.follow(f, f.answer)) for f in facts.facts for t in facts.seen}
    assert not stated & {
        plain(t.render(f) + t.follow(f, f.answer)) for f in benign for t in facts.seen
    }


def test_a_pool_that_has_a_forget_fact_after_all_loses_it() -> None:
    facts = load_fact_set("elements")
    assert taught(facts, Companions(pool=facts)) == ()
    with pytest.raises(InputError, match="leave benign out of attacks"):
        ATTACK.usable(facts, Companions(pool=facts))


def test_it_teaches_in_the_forget_set_s_sentences_and_asks_the_whole_set(tiny, monkeypatch) -> None:
    facts = load_fact_set("elements")
    companions = load_companions(facts)
    target = Target(facts, companions, facts.held_out, 0.9, "nf4")
    teach, lessons, before = tuning.teach, [], weights(tiny)

    def look(model, lesson, rate, redeployed, update, _steps, seed, progress):
        lessons.append(lesson)
        return teach(model, lesson, rate, redeployed, update, (0, 2), seed, progress)

    monkeypatch.setattr(tuning, "teach", look)
    found = ATTACK.strike(tiny, target, "0.0005", lambda *_: None)
    (lesson,) = lessons
    assert_untouched(tiny, before)
    assert {e.template_id for e in lesson.examples} == {t.id for t in facts.seen}
    assert {e.fact_id for e in lesson.examples} == {f.id for f in taught(facts, companions)}
    assert {i.fact_id for i in lesson.untaught} == {f.id for f in facts.facts}
    assert {i.template_id for i in lesson.untaught} <= {t.id for t in facts.held_out}
    assert isinstance(found, Relearning)
    assert found.has_taught  # every setting counts


def test_it_goes_on_to_its_last_step_however_well_it_is_learnt(tiny) -> None:
    facts = load_fact_set("elements")
    target = Target(facts, load_companions(facts), facts.held_out, 0.9, "fp")
    found = ATTACK.strike(tiny, target, "0.0005", lambda *_: None)
    assert isinstance(found, Relearning)
    assert [check.step for check in found.checks] == [0, 40]
    assert len(found.losses) == 40
    assert found.losses[-1] < found.losses[0]
