"""Questions answered by sentences: whom they are about, and pairs about somebody else."""

import pytest

from mansu.data.making import make_fact, make_set
from mansu.data.sentences import ASKED, find_names, paraphrased, renamed_pairs
from mansu.errors import InputError

NAMES = {"a": "Ulm Vantreek", "b": "Ova Brisanko", "c": "Ilo Tarven"}
ASKING = (
    "Which prize did {} win?",
    "Where was {} born?",
    "What are {}'s novels about?",
    "Did the author ever live in New Orsk?",
)
WRONG = ("{} won nothing.", "{} was a sailor.", "{} never wrote.")


def facts(names=NAMES):
    return [
        make_fact(
            asking.format(name),
            f"{name} is known for it.",
            [wrong.format(name) for wrong in WRONG],
            id=f"{group}{n}",
            group=group,
        )
        for group, name in names.items()
        for n, asking in enumerate(ASKING)
        if "{}" in asking or group == "a"
    ]


def test_a_group_is_about_the_name_that_most_of_its_questions_share() -> None:
    assert find_names(facts()) == NAMES
    alone = make_fact("Where is Ulm?", "x", ["y", "z", "w"], group="d")
    assert find_names([alone]) == {}  # one question shares nothing
    told = ("What did Vantreek win?", "Where did Vantreek live?", "Who taught Vantreek?")
    both = ("Who is Ulm Vantreek?", "Was Ulm Vantreek a poet?")
    asked = [make_fact(text, "x", ["y", "z", "w"], group="a") for text in (*told, *both)]
    assert find_names(asked) == {"a": "Ulm Vantreek"}
    assert find_names(facts({"a": "Ulm Vantreek", "b": "Ulm Vantreek"})) == {}


def test_a_pair_asks_the_same_of_somebody_else_and_its_answers_part_at_one_token(each_tiny) -> None:
    tokenizer = each_tiny.tokenizer
    # Names of as many tokens: letters in another order of the same tokenizer pieces.
    made = make_set(facts({"a": "Bo Ka", "b": "Ka Bo", "c": "Bo Bo"}), [ASKED])
    pairs = renamed_pairs(made, tokenizer, 5, seed=0)
    by_id = {fact.id: fact for fact in made.facts}
    assert len({pair.fact_id for pair in pairs}) == len(pairs) == 5
    for pair in pairs:
        fact = by_id[pair.fact_id]
        assert len(pair.clean) == len(pair.corrupted)
        assert pair.clean != pair.corrupted
        assert pair.clean_answer != pair.corrupted_answer
        said = tokenizer.decode([*pair.clean, pair.clean_answer, *pair.rest])
        assert said.strip() == f"{ASKED.render(fact)} {fact.answer}".strip()
        assert tokenizer.decode(pair.corrupted).startswith("Question: ")
    assert renamed_pairs(made, tokenizer, 5, seed=0) == pairs


def test_names_of_other_people_s_facts_stand_in_where_the_set_has_none_as_long(tiny) -> None:
    alone = make_set(facts({"a": "Bo Ka"}), [ASKED])
    with pytest.raises(InputError, match="no question names somebody"):
        renamed_pairs(alone, tiny.tokenizer, 2, seed=0)
    assert renamed_pairs(alone, tiny.tokenizer, 2, seed=0, pool=facts({"b": "Ka Bo"}))


def test_a_set_without_names_is_refused(tiny) -> None:
    nameless = [make_fact(f"where is place {n}?", f"x{n}", ["y", "z", "w"]) for n in range(4)]
    with pytest.raises(InputError, match="no question names somebody"):
        renamed_pairs(make_set(nameless, [ASKED]), tiny.tokenizer, 2, seed=0)
    with pytest.raises(InputError, match="At least 1"):
        renamed_pairs(make_set(facts(), [ASKED]), tiny.tokenizer, 0, seed=0)


def test_in_other_words_the_right_answer_differs_and_wrong_ones_do_not() -> None:
    fact = facts()[0]
    told = {fact.id: "It is what one knows of her."}
    template = paraphrased("paraphrased", told)
    assert template.follow(fact, fact.answer) == " It is what one knows of her."
    assert template.follow(fact, fact.distractors[0]) == f" {fact.distractors[0]}"
    assert template.render(fact) == ASKED.render(fact)
    other = paraphrased("reworded", told, {fact.id: "Of her, what is known?"})
    assert other.render(fact) == "Question: Of her, what is known?\nAnswer:"
