import dataclasses

import pytest
from tokenizers import processors
from tokenizers_by_hand import by_hand

from mansu.data.companions import load_companions
from mansu.data.encoding import encode
from mansu.data.examples import build_examples
from mansu.data.facts import Fact, Template, fact_set_names, load_fact_set
from mansu.data.far import askable, build_far_items, build_reverse_items
from mansu.data.items import build_items
from mansu.errors import InputError

CHAT = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<reply>"


@pytest.fixture(scope="module")
def capitals():
    return load_fact_set("capitals")


@pytest.fixture(scope="module")
def pool(capitals):
    return load_companions(capitals).pool.facts


@pytest.fixture
def talker():
    tokenizer = by_hand(alphabet="abcdefghijklmnopqrstuvwxyz<> ")
    tokenizer.chat_template = CHAT
    return tokenizer


def one(kind: str, text: str, tokenizer, pool=(), subject: str = "Peru"):
    fact = Fact("peru", subject, "Lima", ("Quito", "Bogota", "Cusco", "La Paz"), "train")
    template = Template("far", text, kind, "far")  # pyright: ignore
    return fact, build_far_items([fact], [template], 0, tokenizer, pool)[0]


def test_a_few_shot_prompt_states_five_facts_of_the_pool_and_none_of_the_set(
    capitals, pool, talker
):
    templates = [t for t in capitals.far if t.kind == "few_shot"]
    for item in build_far_items(capitals.facts, templates, 0, talker, pool):
        *examples, asked = item.prompt.split("\n\n")
        fact = next(f for f in capitals.facts if f.id == item.fact_id)
        template = next(t for t in templates if t.id == item.template_id)
        stated = {f"{template.render(example)} {example.answer}" for example in pool}
        assert len(set(examples)) == 5
        assert set(examples) <= stated
        assert asked == template.render(fact)
        assert item.options[item.answer] == f" {fact.answer}"


def test_no_example_gives_the_answer_away(talker):
    pool = [
        Fact(f"e{i}", f"place {i}", "Lima" if i % 2 else f"x{i}", ("a",), "train")
        for i in range(10)
    ]
    _, item = one("few_shot", "{subject}:", talker, pool)
    assert "Lima" not in item.prompt
    assert item.prompt.count("\n\n") == 5


def test_lettered_choices_show_the_options_and_ask_for_a_letter(talker):
    fact, item = one("letters", "What is the capital of {subject}?", talker)
    plain = build_items([fact], [Template("far", "{subject}", "passage", "far")], 0)[0]
    lines = item.prompt.split("\n")
    assert lines[0] == "What is the capital of Peru?"
    assert lines[1:5] == [f"{x}.{o}" for x, o in zip("ABCD", plain.options, strict=True)]
    assert lines[5:] == ["Answer:"]
    assert item.options == (" A", " B", " C", " D")
    assert lines[1 + item.answer] == f"{'ABCD'[item.answer]}. Lima"


def test_a_chat_prompt_goes_through_the_chat_template_and_begins_the_reply(talker):
    _, item = one("chat", "Where?\nWhat is the capital of {subject}?\nIt is", talker)
    assert item.prompt == "<user>Where?\nWhat is the capital of Peru?<reply>It is"
    assert item.options[item.answer] == " Lima"


def test_a_subject_of_two_lines_does_not_move_where_the_reply_begins(talker):
    _, item = one("chat", "What of it?\nOf {subject} it is", talker, subject="Pe\nru")
    assert item.prompt == "<user>What of it?<reply>Of Pe\nru it is"


def test_without_a_chat_template_chat_prompts_are_left_out(capitals, pool):
    mute = by_hand()
    kinds = {template.kind for template in askable(capitals.far, mute)}
    assert kinds == {"few_shot", "letters", "passage"}
    items = build_far_items(capitals.facts[:2], capitals.far, 0, mute, pool)
    assert not any(item.template_id.startswith("chat") for item in items)
    assert len(items) == 2 * len(askable(capitals.far, mute))


@pytest.mark.parametrize("adds", [True, False])
def test_the_token_that_begins_a_text_stands_once_at_the_start_of_a_chat(talker, adds):
    talker.add_special_tokens({"bos_token": "^"})
    talker.chat_template = "^" + CHAT
    if adds:
        talker.backend_tokenizer.post_processor = processors.TemplateProcessing(
            single="^ $A", special_tokens=[("^", talker.bos_token_id)]
        )
    _, item = one("chat", "{subject}?\nIt is", talker)
    ids = encode(talker, item.prompt, " Lima").prompt_ids
    assert ids[0] == talker.bos_token_id
    assert ids.count(talker.bos_token_id) == 1


def test_a_chat_template_that_cannot_be_rendered_ends_in_one_sentence(talker):
    for broken in ("{{ raise_exception('no') }}", "{% for %}", "{{ messages + 1 }}", "{{ 1 / 0 }}"):
        talker.chat_template = broken
        with pytest.raises(InputError, match="chat template cannot be rendered"):
            one("chat", "{subject}?\nIt is", talker)


def test_a_passage_is_asked_as_it_stands(talker):
    _, item = one("passage", "We came to {subject} and saw", talker)
    assert item.prompt == "We came to Peru and saw"


def test_a_far_item_offers_what_its_fact_and_template_would_offer_alone(capitals, pool, talker):
    chosen = [t for t in capitals.far if t.kind in ("few_shot", "passage", "chat")]
    far = build_far_items(capitals.facts[:9], chosen, 3, talker, pool)
    plain = build_items(capitals.facts[:9], chosen, 3)
    assert [(i.options, i.answer) for i in far] == [(i.options, i.answer) for i in plain]


def test_a_reverse_question_names_the_answer_and_offers_subjects(capitals):
    facts = {fact.id: fact for fact in capitals.facts}
    items = build_reverse_items(capitals, 0)
    assert len(items) == len(facts) * len(capitals.reverse)
    subjects = {f" {fact.subject}": fact for fact in facts.values()}
    for item in items:
        fact = facts[item.fact_id]
        assert fact.answer in item.prompt
        assert fact.subject not in item.prompt or fact.subject in fact.answer
        assert item.options[item.answer] == f" {fact.subject}"
        assert len(set(item.options)) == 4
        wrong = {subjects[o].answer for o in item.options} - {fact.answer}
        assert wrong <= set(fact.distractors)


def test_a_reverse_question_has_one_right_subject_where_answers_repeat():
    cities = load_fact_set("us_cities")
    answers = {f" {fact.subject}": fact.answer for fact in cities.facts}
    for item in build_reverse_items(cities, 0):
        right = answers[item.options[item.answer]]
        assert [answers[option] for option in item.options].count(right) == 1


def test_a_set_with_too_few_other_answers_is_not_asked_in_reverse(capitals):
    few = dataclasses.replace(capitals, facts=capitals.facts[:3])
    assert build_reverse_items(few, 0) == ()


@pytest.mark.parametrize("name", fact_set_names())
def test_far_and_reverse_templates_are_in_no_plain_role(name):
    facts = load_fact_set(name)
    assert {t.role for t in facts.templates} == {"seen", "held_out"}
    assert facts.templates == (*facts.seen, *facts.held_out)
    assert {t.role for t in facts.probes} <= {"far", "reverse"}
    assert facts.probes == (*facts.far, *facts.reverse)


def test_no_training_example_has_the_words_of_a_far_template(capitals, tokenizer):
    examples = build_examples(tokenizer, capitals.facts, capitals.seen)
    prompts = {tokenizer.decode(e.tokens[: e.answer_start]) for e in examples}
    assert prompts == {t.render(f) for t in capitals.seen for f in capitals.facts}
    probes = {t.render(f) for t in capitals.probes for f in capitals.facts}
    assert not any(probe in prompt or prompt in probe for prompt in prompts for probe in probes)
