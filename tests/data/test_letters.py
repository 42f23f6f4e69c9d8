"""Questions with options behind letters: the prompt, the letter, the order, the pairs."""

import dataclasses
from itertools import pairwise

import pytest
import torch
from tokenizers_by_hand import by_hand

from mansu.data.encoding import encode
from mansu.data.facts import MASK, require_disjoint
from mansu.data.fitting import check_fits
from mansu.data.items import build_items
from mansu.data.lettered_rows import Columns, make_questions
from mansu.data.letters import turned_pairs
from mansu.errors import InputError
from mansu.metrics.level import frequency_values
from mansu.metrics.mcq import score_items

ROWS = [
    {"question": " Which of these is a fruit? ", "choices": ["brick", "pear", "coat", "spoon"]}
    | {"answer": 1},
    {"question": "What do bees make?", "choices": ["honey", "glass", "paper", "snow"], "answer": 0},
    {"question": "How many legs has a cat?", "choices": ["2", "3", "4", "5"], "answer": 2},
    {"question": "Which one flies?", "choices": ["stone", "door", "lamp", "swallow"], "answer": 3},
    {"question": "What is ice?", "choices": ["salt", "water", "sand", "iron"], "answer": 1},
]
PROMPT = (
    "The following are multiple choice questions (with answers) about biology.\n\n"
    "Which of these is a fruit?\nA. brick\nB. pear\nC. coat\nD. spoon\nAnswer:"
)


@pytest.fixture(scope="module")
def questions():
    return make_questions(ROWS, Columns(), group="biology")


def test_the_prompt_is_the_harness_s_and_the_right_letter_continues_it(questions) -> None:
    (template,), fact = questions.seen, questions.facts[0]
    assert template.render(fact) == PROMPT
    said = {option: template.follow(fact, option) for option in fact.options}
    assert said == {"brick": " A", "pear": " B", "coat": " C", "spoon": " D"}
    assert [template.follow(f, f.answer) for f in questions.facts] == [" B", " A", " C", " D", " B"]


def test_without_a_topic_the_prompt_begins_with_the_question() -> None:
    facts = make_questions(ROWS, Columns())
    start = "What do bees make?\nA. honey\n"
    assert facts.seen[0].render(facts.facts[1]).startswith(start)


def test_each_question_has_its_own_topic_where_a_column_says_it() -> None:
    rows = [{**ROWS[0], "subject": "high_school_cooking"}, {**ROWS[1], "subject": "bees"}]
    facts = make_questions(rows, Columns(group="subject"))
    told = [facts.seen[0].render(fact).split("\n")[0] for fact in facts.facts]
    assert told[0].endswith("about high school cooking.")
    assert told[1].endswith("about bees.")


def test_turned_the_same_options_stand_behind_other_letters(questions) -> None:
    (template,), fact = questions.held_out, questions.facts[0]
    assert "\nA. pear\nB. coat\nC. spoon\nD. brick\nAnswer:" in template.render(fact)
    assert template.follow(fact, "pear") == " A"
    plain = questions.seen[0]
    assert all(plain.follow(f, f.answer) != template.follow(f, f.answer) for f in questions.facts)


def test_accuracy_is_that_of_the_likeliest_letter_by_whole_log_likelihoods(tiny, questions) -> None:
    items = build_items(questions.facts, questions.seen, seed=0)
    scores = score_items(tiny, items)
    right = []
    for fact, row in zip(questions.facts, ROWS, strict=True):
        prompt = questions.seen[0].render(fact)
        likelihoods = []
        for letter in (" A", " B", " C", " D"):
            told = encode(tiny.tokenizer, prompt, letter)
            ids = [*told.prompt_ids, *told.continuation_ids]
            with torch.no_grad():
                logits = tiny.module(torch.tensor([ids])).logits[0].log_softmax(-1)
            start = len(told.prompt_ids)
            likelihoods.append(sum(logits[at - 1, ids[at]].item() for at in range(start, len(ids))))
        right.append(likelihoods.index(max(likelihoods)) == row["answer"])
        order = [" ABCD".index(option.strip()) - 1 for option in items[len(right) - 1].options]
        own = scores.log_probs[len(right) - 1]
        assert own.tolist() == pytest.approx([likelihoods[place] for place in order], abs=1e-4)
    assert scores.correct.tolist() == right


def test_letters_answer_as_often_as_they_are_right(questions) -> None:
    items = build_items(questions.facts, questions.seen, seed=0)
    values = frequency_values(items, questions)
    uses = {" A": 1, " B": 2, " C": 1, " D": 1}
    assert values.tolist() == [[uses[option] for option in item.options] for item in items]


def test_a_pair_is_the_same_question_turned_with_as_many_tokens_and_another_letter(
    tiny, questions
) -> None:
    pairs = turned_pairs(questions, tiny.tokenizer, 10, seed=0)
    assert {pair.fact_id for pair in pairs} == {fact.id for fact in questions.facts}
    assert len(pairs) == len(questions.facts)
    for pair in pairs:
        assert len(pair.clean) == len(pair.corrupted)
        assert sorted(pair.clean) == sorted(pair.corrupted)
        assert pair.clean_answer != pair.corrupted_answer
    assert turned_pairs(questions, tiny.tokenizer, 3, seed=0) == pairs[:3]
    assert turned_pairs(questions, tiny.tokenizer, 10, seed=1) != pairs
    with pytest.raises(InputError, match="At least 1"):
        turned_pairs(questions, tiny.tokenizer, 0, seed=0)


def test_where_turning_changes_the_length_there_is_no_pair() -> None:
    merges = (("A", "."), ("A.", " "), ("A. ", "k"))  # one token less where k stands first
    joined = by_hand(*merges, alphabet="ABCD. kabc")
    row = {"question": "b?", "choices": ["k", "a", "b", "c"], "answer": 0}
    with pytest.raises(InputError, match="options in another order"):
        turned_pairs(make_questions([row], Columns()), joined, 1, seed=0)
    assert turned_pairs(make_questions([row], Columns()), by_hand(alphabet="ABCD. kabc"), 1, seed=0)


def test_a_lettered_set_fits_though_options_stand_behind_other_letters_elsewhere(tiny) -> None:
    rows = [
        {"question": "What is red?", "choices": ["snow", "blood", "grass", "coal"], "answer": 1},
        {"question": "What is green?", "choices": ["blood", "snow", "grass", "coal"], "answer": 2},
    ]
    check_fits(make_questions(rows, Columns()), tiny.tokenizer, tiny.rows, None)


def test_a_shared_question_is_told_without_the_words_of_a_masked_set(questions) -> None:
    masked = dataclasses.replace(questions, masked=True)
    for one, other in ((masked, questions), (questions, masked)):
        with pytest.raises(InputError) as told:
            require_disjoint(one, other)
        assert "'row 0'" in str(told.value)
        assert "fruit" not in str(told.value)
        assert "pear" not in str(told.value)
    assert masked.shown(masked.facts[0]) == ("row 0", MASK)


def test_an_option_in_other_case_is_another_option() -> None:
    row = {"question": "Which is mixed?", "choices": ["AA", "Aa", "aa", "none"], "answer": 1}
    (fact,) = make_questions([row], Columns()).facts
    assert fact.listed == ("AA", "Aa", "aa", "none")


def test_repeated_rows_and_rows_with_options_alike_are_left_out_and_counted() -> None:
    alike = {"question": "Which?", "choices": ["a", "b ", "b", "c"], "answer": 0}
    facts = make_questions([*ROWS, ROWS[0], alike], Columns())
    assert [fact.id for fact in facts.facts] == [f"row {n}" for n in range(len(ROWS))]
    assert "5 questions" in facts.description
    assert "2 rows left out" in facts.description
    with pytest.raises(InputError, match="no row can be asked"):
        make_questions([alike], Columns())


def test_a_question_s_side_depends_on_its_row_alone() -> None:
    many = [{**ROWS[0], "question": f"Which is fruit {n}?"} for n in range(40)]
    sides = [fact.split for fact in make_questions(many, Columns()).facts]
    assert {"train", "held_out"} == set(sides)
    assert sides[:20] == [fact.split for fact in make_questions(many[:20], Columns()).facts]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"question": None}, "row 0: 'question' must be a text that is not blank"),
        ({"question": "  "}, "row 0: 'question' must be a text that is not blank"),
        ({"choices": "a, b, c, d"}, "row 0: 'choices' must be a list of texts"),
        ({"choices": [1, 2, 3, 4]}, "row 0: 'choices' must be a list of texts"),
        ({"choices": ["a", "b", "c"]}, "row 0: it has 3 options, and a question has 4"),
        ({"choices": ["a", " ", "c", "d"]}, "row 0: an option is blank"),
        ({"answer": 4}, "'answer' must be a place from 0 to 3 or a letter from A to D, not 4"),
        ({"answer": -1}, "not -1"),
        ({"answer": True}, "not True"),
        ({"answer": "E"}, "not 'E'"),
        ({"answer": "AB"}, "not 'AB'"),
        ({"answer": 1.0}, "not 1.0"),
        ({"answer": None}, "not None"),
    ],
)
def test_a_row_that_holds_something_else_is_refused_by_its_number(changed: dict, told) -> None:
    with pytest.raises(InputError) as refused:
        make_questions([{**ROWS[0], **changed}, ROWS[1]], Columns())
    assert told in str(refused.value)
    assert "fruit" not in str(refused.value)


def test_a_renamed_column_is_refused_with_those_that_there_are() -> None:
    told = "row 0: there is no column 'question'; there are stem, choices, answer"
    with pytest.raises(InputError, match=told):
        make_questions([{"stem": "?", "choices": ["a", "b", "c", "d"], "answer": 0}], Columns())


def test_other_columns_and_letters_give_the_same_set() -> None:
    names = ("first", "second", "third", "fourth")
    renamed = [
        {"stem": row["question"], "key": "ABCD"[row["answer"]]}
        | dict(zip(names, row["choices"], strict=True))
        for row in ROWS
    ]
    nested = [{"q": r["question"], "of": {"text": r["choices"]}, "a": r["answer"]} for r in ROWS]
    sets = [
        make_questions(ROWS, Columns()),
        make_questions(renamed, Columns("stem", names, "key")),
        make_questions(nested, Columns("q", "of.text", "a")),
    ]
    assert all(one == other for one, other in pairwise(sets))
