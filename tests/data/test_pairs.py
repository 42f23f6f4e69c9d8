import dataclasses
from collections import Counter

import pytest
from tokenizers_by_hand import appending, by_hand

from mansu.data.facts import Fact, FactSet, Template, load_fact_set
from mansu.data.pairs import build_pairs
from mansu.errors import InputError


@pytest.fixture(scope="module")
def elements():
    return load_fact_set("elements")


@pytest.fixture(scope="module")
def pairs(elements, tokenizer):
    return build_pairs(elements, tokenizer, 100, seed=0)


def small_set(elements: FactSet, *answers: tuple[str, str]) -> FactSet:
    """The facts ``subject answer`` under the template ``{subject}``."""
    facts = tuple(Fact(s, s, a, ("x", "y", "z"), "train") for s, a in answers)
    templates = (Template("t", "{subject}", "cloze", "seen"),)
    return dataclasses.replace(elements, facts=facts, templates=templates)


def test_both_prompts_have_as_many_tokens(pairs):
    assert all(len(pair.clean) == len(pair.corrupted) for pair in pairs)


def test_both_prompts_state_the_relation_with_the_same_template(elements, tokenizer, pairs):
    templates = {template.id: template for template in elements.seen}
    subjects = {fact.id: fact for fact in elements.facts}
    for pair in pairs:
        template = templates[pair.template_id]
        clean = template.render(subjects[pair.fact_id])
        possible = {template.render(fact) for fact in elements.facts} - {clean}
        assert tokenizer.decode(pair.clean) == clean
        assert tokenizer.decode(pair.corrupted) in possible


def test_the_answers_are_the_first_tokens_that_follow_the_prompts(elements, tokenizer, pairs):
    joint = {
        tuple(tokenizer(f"{t.render(fact)} {fact.answer}")["input_ids"])
        for t in elements.seen
        for fact in elements.facts
    }
    starts = {tokens[:length] for tokens in joint for length in range(len(tokens) + 1)}
    for pair in pairs:
        assert (*pair.clean, pair.clean_answer) in starts
        assert (*pair.corrupted, pair.corrupted_answer) in starts
        assert pair.clean_answer != pair.corrupted_answer


def test_facts_and_templates_are_used_evenly(elements, tokenizer, pairs):
    facts = Counter(pair.fact_id for pair in pairs)
    templates = Counter(pair.template_id for pair in pairs)
    assert max(facts.values()) <= 2
    assert len(facts) > 90
    assert set(templates) == {template.id for template in elements.seen}
    assert max(templates.values()) <= 1.5 * min(templates.values())


def test_no_clean_prompt_occurs_twice_however_many_pairs_are_asked_for(elements, tokenizer):
    pairs = build_pairs(elements, tokenizer, 10**9, seed=0)
    assert len({pair.clean for pair in pairs}) == len(pairs)
    assert 500 < len(pairs) <= len(elements.facts) * len(elements.seen)


def test_the_same_seed_gives_the_same_pairs_and_another_seed_others(elements, tokenizer, pairs):
    assert build_pairs(elements, tokenizer, 100, seed=0) == pairs
    assert build_pairs(elements, tokenizer, 100, seed=1) != pairs


def test_fewer_pairs_are_the_first_of_more(elements, tokenizer, pairs):
    assert build_pairs(elements, tokenizer, 10, seed=0) == pairs[:10]


def test_held_out_templates_are_never_used(elements, tokenizer):
    only = dataclasses.replace(elements, templates=(elements.seen[0], *elements.held_out))
    pairs = build_pairs(only, tokenizer, 1000, seed=0)
    assert {pair.template_id for pair in pairs} == {elements.seen[0].id}


def test_a_subject_whose_last_token_merges_with_the_answer_is_left_out(elements):
    facts = small_set(elements, ("ab", "a"), ("ba", "b"), ("bb", "a"), ("aa", "b"))
    # After an "a" the space merges backwards, so "ba" and "aa" do not end where the prompt ends.
    plain = build_pairs(facts, by_hand((" ", "a"), (" ", "b")), 9, seed=0)
    assert {pair.fact_id for pair in plain} == {"ab", "ba", "bb", "aa"}
    merging = by_hand(("a", " "), (" ", "a"), (" ", "b"))
    with pytest.raises(InputError, match="all answers are the same"):
        build_pairs(facts, merging, 9, seed=0)


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([("ab", "a")], "a single fact"),
        ([("ab", "ab"), ("ba", "ab")], "all answers are the same"),
        ([("ab", "a"), ("ba", "ab")], "answers that differ"),
        ([("ab", "a"), ("b", "b")], "equally many tokens"),
    ],
)
def test_a_set_without_any_pair_is_refused_with_the_reason(elements, answers, reason):
    facts = small_set(elements, *answers)
    with pytest.raises(InputError, match=reason):
        build_pairs(facts, by_hand((" ", "a"), (" ", "b")), 4, seed=0)


def test_where_no_two_subjects_are_of_one_length_partners_come_from_the_pool(elements):
    facts = small_set(elements, ("ab", "a"), ("b", "b"))
    pool = small_set(elements, ("ba", "b"), ("aaa", "a")).facts
    tokenizer = by_hand((" ", "a"), (" ", "b"))
    pairs = build_pairs(facts, tokenizer, 9, 0, pool)
    assert [pair.fact_id for pair in pairs] == ["ab"]
    assert (pairs[0].clean, pairs[0].corrupted) == ((0, 1), (1, 0))


def test_a_set_that_gives_pairs_itself_takes_none_from_the_pool(elements, tokenizer, pairs):
    pool = [dataclasses.replace(fact, subject=fact.subject[::-1]) for fact in elements.facts]
    assert build_pairs(elements, tokenizer, 100, 0, pool) == pairs


def test_a_tokenizer_that_merges_every_prompt_with_its_answer_is_named_as_the_reason(elements):
    facts = small_set(elements, ("ba", "b"), ("aa", "a"))
    with pytest.raises(InputError, match="merges every prompt"):
        build_pairs(facts, by_hand(("a", " ")), 4, seed=0)


def test_answers_that_begin_alike_are_told_apart_where_they_part(elements):
    facts = small_set(elements, ("ab", "abb"), ("ba", "aba"), ("bb", "abb"))
    # a = 0, b = 1, space = 2, " a" = 3; both prompts go on with " ab".
    for pair in build_pairs(facts, by_hand((" ", "a")), 9, seed=0):
        assert pair.clean[-2:] == pair.corrupted[-2:] == (3, 1)
        assert pair.clean[:-2] != pair.corrupted[:-2]
        assert {pair.clean_answer, pair.corrupted_answer} == {0, 1}


def test_a_partner_whose_answer_begins_otherwise_is_preferred(elements):
    facts = small_set(elements, ("ab", "ab"), ("ba", "aa"), ("bb", "bb"))
    pairs = {p.fact_id: p for p in build_pairs(facts, by_hand((" ", "a"), (" ", "b")), 9, seed=0)}
    assert len(pairs) == 3
    assert all(len(pair.clean) == 2 for pair in pairs.values())


def test_an_end_token_that_the_tokenizer_appends_changes_no_pair(elements, tokenizer, pairs):
    assert build_pairs(elements, appending(tokenizer), 100, seed=0) == pairs


@pytest.mark.parametrize("count", [0, -3])
def test_a_count_below_one_is_refused(elements, tokenizer, count):
    with pytest.raises(InputError, match="At least 1"):
        build_pairs(elements, tokenizer, count, seed=0)
