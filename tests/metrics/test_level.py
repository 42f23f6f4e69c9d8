from dataclasses import replace

import numpy as np
import pytest

from mansu.data import build_items, load_fact_set
from mansu.data.facts import Fact, FactSet, Template
from mansu.data.items import Item
from mansu.data.making import make_set
from mansu.metrics.level import frequency_values, spelling_values
from mansu.metrics.rank import item_accuracy, item_auc


def item(*options: str, answer: int = 0, fact: str = "f") -> Item:
    return Item(fact, "t", "", tuple(f" {option}" for option in options), answer)


def test_accuracy_is_one_where_the_answer_leads_and_a_share_where_it_ties():
    values = [[3, 1, 2, 0], [1, 3, 2, 0], [2, 2, 1, 0], [1, 1, 1, 1]]
    assert item_accuracy(values, [0, 0, 0, 0]).tolist() == [1, 0, 0.5, 0.25]


def test_auc_is_the_share_of_wrong_options_below_the_answer_with_ties_half():
    values = [[3, 1, 2, 0], [0, 1, 2, 3], [1, 0, 2, 3], [2, 2, 1, 3], [1, 1, 1, 1]]
    expected = [1, 0, 1 / 3, 0.5, 0.5]
    assert item_auc(values, [0] * 5) == pytest.approx(expected)
    assert item_auc([[1, 2, 5, 0]], [2]).tolist() == [1]


def facts_of(*answers: str, wrong: tuple[str, ...] = ("x", "y", "z")) -> FactSet:
    facts = [Fact(f"f{i}", f"s{i}", a, wrong, "train") for i, a in enumerate(answers)]
    return make_set(facts, [Template("t", "{subject} is", "cloze", "seen")])


def test_answers_that_never_repeat_leave_frequency_at_chance():
    values = frequency_values([item("a", "b", "c", "d", answer=2)], facts_of("a", "b", "c", "d"))
    assert item_accuracy(values, [2]).tolist() == [0.25]
    assert item_auc(values, [2]).tolist() == [0.5]


def test_where_no_wrong_option_answers_anything_frequency_stays_at_chance():
    values = frequency_values([item("a", "x", "y", "z", answer=0)], facts_of("a", "b", "c", "d"))
    assert len(set(values[0])) == 1


def test_frequency_knows_how_often_each_option_answers():
    facts = facts_of("a", "a", "a", "b", "c", wrong=("c", "d", "e"))
    items = [item("a", "b", "c"), item("b", "a", "d"), item("b", "c", "d")]
    values = frequency_values(items, facts)
    assert values.tolist() == [[3, 1, 1], [1, 3, 0], [1, 1, 0]]
    assert item_accuracy(values, [0, 0, 0]).tolist() == [1, 0, 0.5]
    assert item_auc(values, [0, 0, 0]).tolist() == [1, 0.5, 0.75]


def test_letters_that_a_far_prompt_put_before_the_options_answer_equally_often():
    capitals = load_fact_set("capitals")
    far = next(template for template in capitals.far if template.kind == "letters")
    items = [replace(item(*"ABCD"), template_id=far.id)]
    assert frequency_values(items, capitals).tolist() == [[0, 0, 0, 0]]


def named(count: int, answer) -> tuple[list[Fact], list[Item]]:
    """Facts whose subjects and wrong options are random words."""
    rng = np.random.default_rng(0)
    word = lambda: "".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz"), 6))  # noqa: E731
    facts = []
    for n in range(count):
        subject = word()
        facts.append(
            Fact(str(n), subject, answer(subject, word), (word(), word(), word()), "train")
        )
    return facts, [*build_items(facts, [Template("t", "{subject}", "cloze", "seen")], 0)]


def test_names_that_tell_their_answers_are_read_and_others_are_not():
    for answer, low, high in (
        (lambda subject, word: subject[:3] + word()[:3], 0.98, 1),
        (lambda subject, word: word(), 0.1, 0.4),
    ):
        facts, items = named(60, answer)
        accuracy = item_accuracy(spelling_values(items, facts), [i.answer for i in items]).mean()
        assert low <= accuracy <= high


def test_a_fact_has_no_part_in_the_weights_that_value_it():
    """One fact's own answer cannot move its values, or the level would be learned by heart."""
    facts, items = named(12, lambda subject, word: word())
    swapped = Fact("0", facts[0].subject, facts[0].distractors[0], (), "train")
    swapped = Fact(
        "0", swapped.subject, swapped.answer, (facts[0].answer, *facts[0].distractors[1:]), "train"
    )
    before = spelling_values(items[:1], facts)
    after = spelling_values(items[:1], [swapped, *facts[1:]])
    assert before == pytest.approx(after)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("elements", 0.78, 0.88), ("elements_invented", 0.75, 0.9), ("capitals", 0.2, 0.35)],
)
def test_elements_can_be_read_from_their_names_and_capitals_cannot(name, low, high):
    facts = load_fact_set(name)
    items = build_items(facts.facts, facts.seen, 0)
    values = spelling_values(items, facts.facts)
    assert low < item_accuracy(values, [i.answer for i in items]).mean() < high
