"""The target of a study: where it is levelled, and that it is drawn once."""

from dataclasses import replace

import pytest
import torch

from mansu.data.encoding import encode
from mansu.data.facts import load_fact_set
from mansu.data.items import build_items
from mansu.data.wording import taught
from mansu.study.stages.fisher import training_examples
from mansu.study.stages.target import is_off_level, make_target
from mansu.unlearn.prior import level

CAPITALS = load_fact_set("capitals")
FACTS = CAPITALS.facts[:30]
ITEMS = build_items(FACTS, CAPITALS.seen[:1], seed=0)
TEMPLATE = CAPITALS.seen[0]


def first_token(tiny, fact, option: str) -> int:
    return encode(tiny.tokenizer, TEMPLATE.render(fact), f" {option}").continuation_ids[0]


def test_a_target_that_knows_nothing_of_the_set_is_on_the_level(tiny):
    even = {TEMPLATE.id: torch.full((tiny.rows,), 1 / tiny.rows)}
    assert not is_off_level(tiny, even, ITEMS, CAPITALS)


def test_a_target_that_answers_the_questions_by_itself_is_off_the_level(tiny):
    q = torch.full((tiny.rows,), 0.1 / tiny.rows)
    asked = FACTS[:3]  # few facts: their answers have all of the mass, wrong options none
    for fact in asked:
        q[first_token(tiny, fact, fact.answer)] += 0.3
    items = [item for item in ITEMS if item.fact_id in {fact.id for fact in asked}]
    assert is_off_level(tiny, {TEMPLATE.id: q}, items, CAPITALS)
    options = {first_token(tiny, f, option) for f in asked for option in f.options}
    levelled = level({TEMPLATE.id: q}, torch.tensor(sorted(options)))
    assert not is_off_level(tiny, levelled, items, CAPITALS)


def test_the_study_s_target_covers_every_wording_that_training_sees_and_is_read_back(finished_run):
    found = make_target(finished_run)
    wordings = taught(finished_run.forget, 1)
    assert len(wordings) > len(finished_run.forget.seen)
    assert set(found.first) == {template.id for template in wordings}
    assert {example.template_id for example in training_examples(finished_run)[0]} == set(
        found.first
    )
    for q in found.first.values():
        assert q.sum().item() == pytest.approx(1, abs=1e-4)
    again = make_target.read(finished_run)
    assert again is not None
    assert all(torch.equal(again.first[name], q) for name, q in found.first.items())
    assert torch.equal(again.states, found.states)
    assert replace(again, first={}, states=found.states).later == found.later
