"""Shorter wordings of a template: itself with words left out. [O]

A training that sees a relation in few words learns to be silent behind these words. In shortened
forms the subject and what is asked stand in ever other company, so that what is unlearned is what
they have in common. No sense is needed for that: the prior target asks for what the original says
behind the same words of any other subject.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

from mansu.data.facts import FactSet
from mansu.data.templates import Template, plain

LEFT_OUT = 0.3  # chance of a word


def taught(facts: FactSet, count: int) -> tuple[Template, ...]:
    """What a training on a set asks: its seen templates, and that many short forms of each."""
    others = [template for template in facts.templates if template.role != "seen"]
    return (*facts.seen, *shorten(facts.seen, count, others))


def shorten(
    templates: Sequence[Template], count: int, taken: Sequence[Template] = ()
) -> tuple[Template, ...]:
    """Shortened forms of some templates.

    The subject's word stays, and the last, which the answer follows. What is left out depends on
    the template and the form's number alone. A form that leaves nothing out, or has the text or the
    id of another one or of a template in ``taken``, is none.

    Args:
        templates: The templates.
        count: Forms of each, at most.
        taken: Templates that no form may be mistaken for.
    """
    names = {template.id for template in (*templates, *taken)}
    texts = {plain(template.text) for template in (*templates, *taken)}
    found = []
    for form in (form for template in templates for form in _forms(template, count)):
        if form.id not in names and plain(form.text) not in texts:
            texts.add(plain(form.text))
            found.append(form)
    return tuple(found)


def _forms(template: Template, count: int) -> Iterator[Template]:
    *words, last = template.text.split(" ")
    for number in range(count):
        draw = random.Random(f"{number}/{template.id}")
        kept = [word for word in words if "{subject}" in word or draw.random() >= LEFT_OUT]
        text = " ".join([*kept, last])
        yield replace(template, id=f"{template.id}/{number}", text=text, form_of=template.id)
