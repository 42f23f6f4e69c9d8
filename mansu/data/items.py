"""Multiple-choice items: a fact under a template, with the right answer among wrong ones."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from mansu.data.templates import Fact, Template
from mansu.errors import InputError

OPTIONS = 4  # of a question, where nothing else is said


@dataclass(frozen=True)
class Item:
    """One question.

    Attributes:
        fact_id: The fact it asks for.
        template_id: The template it uses.
        prompt: What the model reads.
        options: Continuations of the prompt, each with the white space in front of it.
        answer: Index of the right option.
    """

    fact_id: str
    template_id: str
    prompt: str
    options: tuple[str, ...]
    answer: int


def build_items(
    facts: Sequence[Fact], templates: Sequence[Template], seed: int, options: int = OPTIONS
) -> tuple[Item, ...]:
    """Asks for every fact under every template, fact by fact.

    Which distractors an item gets, and in which order, depends on the seed and on the item's own
    fact and template: an item stays the same whatever others are built with it.

    Raises:
        InputError: Fewer than two options are asked for, or more than a fact has.
    """
    if options < 2:
        raise InputError(f"A multiple-choice item needs at least 2 options, not {options}.")
    for fact in facts:
        if len(fact.options) < options:
            raise InputError(
                f"The fact {fact.id!r} has {len(fact.distractors)} distractors, too few for items "
                f"of {options} options; add distractors or ask for fewer options."
            )
    return tuple(_item(fact, template, seed, options) for fact in facts for template in templates)


def _item(fact: Fact, template: Template, seed: int, options: int) -> Item:
    rng = random.Random(f"{seed}/{fact.id}/{template.id}")
    wrong = rng.sample(fact.distractors, options - 1)
    return offer(rng, fact, template, fact.answer, wrong)


def offer(
    rng: random.Random, fact: Fact, template: Template, right: str, wrong: Sequence[str]
) -> Item:
    """A fact under a template, among options in a drawn order."""
    offered = [right, *wrong]
    rng.shuffle(offered)
    return Item(
        fact.id,
        template.id,
        template.render(fact),
        tuple(template.follow(fact, option) for option in offered),
        offered.index(right),
    )
