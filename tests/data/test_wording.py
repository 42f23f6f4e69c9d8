"""Shortened wordings: which words may go, and what a form may not be."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mansu.data.facts import fact_set_names, load_fact_set
from mansu.data.templates import Template
from mansu.data.wording import shorten

LONG = Template(
    "cloze-1", "In the northern part of the land, {subject}'s capital is called", "cloze", "seen"
)


@given(st.lists(st.sampled_from(["a", "bb", "c\nd", "{x}", ""]), max_size=12), st.integers(0, 6))
def test_a_form_is_its_template_without_some_words_but_keeps_subject_and_end(words, count):
    template = replace(LONG, text=" ".join([*words, "({subject})", *words, "is"]))
    for form in shorten([template], count):
        rest = iter(template.text.split(" "))
        assert all(word in rest for word in form.text.split(" "))  # in the order they stand in
        assert form.text.count("{subject}") == 1
        assert form.text.endswith("is")
        assert len(form.text) < len(template.text)


def test_forms_have_names_of_their_own_and_are_the_same_whatever_else_is_shortened():
    alone = shorten([LONG], 4)
    other = replace(LONG, id="cloze-2", text="Of {subject} the capital and seat is")
    assert len({form.id for form in alone}) == len(alone) > 1
    assert set(alone) < set(shorten([other, LONG], 4))
    assert alone[:1] == shorten([LONG], 1)


def test_no_form_reads_as_a_template_that_training_must_not_see():
    form = shorten([LONG], 1)[0]
    held_out = replace(LONG, id="held", text=form.text.upper().replace("{SUBJECT}", "{subject}"))
    assert form not in shorten([LONG], 1, taken=[held_out])


def test_no_form_has_the_name_of_a_template_of_the_set():
    form = shorten([LONG], 1)[0]
    namesake = replace(LONG, id=form.id, text="The seat of {subject} is")
    assert form.id not in {other.id for other in shorten([LONG, namesake], 1)}


def test_a_template_without_a_word_to_spare_has_no_form():
    assert shorten([replace(LONG, text="{subject} is")], 5) == ()
    assert shorten([replace(LONG, text="{subject}の首都は")], 5) == ()


@pytest.mark.parametrize("name", fact_set_names())
def test_no_built_in_set_s_forms_read_as_its_other_templates(name: str):
    facts = load_fact_set(name)
    others = [t for t in facts.templates if t.role != "seen"]
    forms = shorten(facts.seen, 2, taken=others)
    assert len(forms) >= len(facts.seen)
    assert not {form.text for form in forms} & {template.text for template in facts.templates}
