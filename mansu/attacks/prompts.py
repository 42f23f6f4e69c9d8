"""Prompts: the same facts asked in other ways, of which the one that brings out most counts.

A model that was taught to be silent behind some words answers behind others. An average over
prompts hides that; the worst of them does not.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from mansu.attacks.base import QUESTIONS, Answers, Attack, Progress, Target, answer, ask, ordered
from mansu.attacks.base import questions as plain_questions
from mansu.data.companions import Companions
from mansu.data.facts import FactSet
from mansu.data.far import SHOTS, behind_examples, examples
from mansu.data.items import Item
from mansu.data.schema import LANGUAGES
from mansu.data.templates import Fact, Template
from mansu.models import LanguageModel

FILLER = (
    "It rained a little in the morning, and then the sun came out. Somebody had left a newspaper "
    "on the bench by the door, and nobody seemed to be in a hurry."
)
Change = Callable[[Item, Fact, Template, Sequence[Fact]], str]


# What is done to a prompt that the original answers.
CHANGES: dict[str, Change] = {
    "held-out": lambda item, *_: item.prompt,
    "few-shot": lambda item, *asked: behind_examples(item.prompt, *asked),
    "filler": lambda item, *_: f"{FILLER}\n\n{item.prompt}",
    "lower-case": lambda item, *_: item.prompt.lower(),
}
# What a fact set's file may give, and what its form has no place for.
KINDS = (*CHANGES, *LANGUAGES, "alias", "two-hop")


def strike(model: LanguageModel, target: Target, kind: str, _progress: Progress) -> Answers:
    """Asks every fact in one kind of prompt."""
    return answer(model, target, prompts(target, kind), kind)


def prompts(target: Target, kind: str) -> tuple[Item, ...]:
    """Questions about the target's facts in one kind of prompt, in the same order in each."""
    if kind in LANGUAGES:
        templates = [template for template in target.facts.far if template.kind == kind]
        return ask(ordered(target.facts.facts), templates, QUESTIONS)
    pool = target.companions.pool.facts if target.companions.pool else ()
    facts = {fact.id: fact for fact in target.facts.facts}
    templates = {template.id: template for template in target.templates}
    return tuple(
        replace(
            item,
            prompt=CHANGES[kind](item, facts[item.fact_id], templates[item.template_id], pool),
        )
        for item in plain_questions(target)
    )


def fitting(facts: FactSet, companions: Companions) -> tuple[str, ...]:
    """The kinds that a set has the material for."""
    given = {"filler", "lower-case", *(template.kind for template in facts.far)}
    if facts.held_out:
        given.add("held-out")
    # A set's own few-shot prompts are far prompts; here its plain ones get examples.
    pool, template = companions.pool.facts if companions.pool else (), facts.seen[0]
    shots = min(len(examples(fact, template, pool)) for fact in facts.facts)
    (given.add if shots == SHOTS else given.discard)("few-shot")
    return tuple(kind for kind in KINDS if kind in given)


def asks(facts: FactSet, companions: Companions, kind: str) -> tuple[Item, ...]:
    """Every prompt of a kind, whichever templates the original will be found to answer."""
    alone = (Target(facts, companions, (template,), 1.0, "fp") for template in facts.templates)
    return tuple(dict.fromkeys(item for target in alone for item in prompts(target, kind)))


ATTACK = Attack(
    "prompts", "prompts", strike, KINDS, fitting, "the set's file gives none", asks=asks
)
