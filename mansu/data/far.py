"""Questions far from training's: other kinds of prompts, and the reverse question.

A far template's kind says what is put around its text:

* ``few_shot``: five facts of the set's pool in the same words, with their answers;
* ``letters``: the options behind letters, of which one is to be named;
* ``chat``: the model's own chat template; the text's last line begins the reply;
* ``passage``: nothing, the text is itself a longer one;
* ``french``, ``spanish``, ``german``: nothing, the text is in that language.

A reverse template names the answer and asks for the subject. That is another association: it is
measured for itself and says nothing about whether the fact was forgotten.
"""

import random
import string
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from jinja2 import TemplateError

from mansu.data.encoding import token_ids
from mansu.data.facts import FactSet
from mansu.data.items import Item, build_items, offer
from mansu.data.templates import Fact, Template, plain
from mansu.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SHOTS = 5


def askable(
    templates: Sequence[Template], tokenizer: "PreTrainedTokenizerBase"
) -> tuple[Template, ...]:
    """The far templates that this tokenizer can render: without a chat template, not ``chat``."""
    chats = tokenizer.chat_template is not None
    return tuple(template for template in templates if chats or template.kind != "chat")


def build_far_items(
    facts: Sequence[Fact],
    templates: Sequence[Template],
    seed: int,
    tokenizer: "PreTrainedTokenizerBase",
    pool: Sequence[Fact] = (),
    options: int = 4,
) -> tuple[Item, ...]:
    """Asks for every fact under every far template that the tokenizer can render.

    Options are drawn as in :func:`mansu.data.items.build_items`.

    Args:
        facts: The facts asked for.
        templates: Far templates.
        seed: Seed of the options.
        tokenizer: Writes chat prompts.
        pool: Examples of few-shot prompts.
        options: Options of an item.

    Raises:
        InputError: As :func:`build_items`, or the chat template cannot be rendered.
    """
    templates = askable(templates, tokenizer)
    asked = [(fact, template) for fact in facts for template in templates]
    items = build_items(facts, templates, seed, options)
    return tuple(
        _wrap(item, fact, template, tokenizer, pool)
        for item, (fact, template) in zip(items, asked, strict=True)
    )


def build_reverse_items(fact_set: FactSet, seed: int, options: int = 4) -> tuple[Item, ...]:
    """Asks every reverse template for every subject, among subjects with other answers.

    The wrong subjects are those whose answers the fact's own distractors are, as far as they go.
    A fact whose set has too few others is not asked.
    """
    items = []
    for fact in fact_set.facts:
        others = [f for f in fact_set.facts if plain(f.answer) != plain(fact.answer)]
        near = [f.subject for f in others if f.answer in fact.distractors]
        rest = [f.subject for f in others if f.answer not in fact.distractors]
        for template in fact_set.reverse if len(others) >= options - 1 else ():
            rng = random.Random(f"{seed}/{fact.id}/{template.id}")
            wrong = rng.sample(near, min(len(near), options - 1))
            wrong += rng.sample(rest, options - 1 - len(wrong))
            items.append(offer(rng, fact, template, fact.subject, wrong))
    return tuple(items)


def _wrap(
    item: Item,
    fact: Fact,
    template: Template,
    tokenizer: "PreTrainedTokenizerBase",
    pool: Sequence[Fact],
) -> Item:
    if template.kind == "few_shot":
        return replace(item, prompt=behind_examples(item.prompt, fact, template, pool))
    if template.kind == "letters":
        letters = string.ascii_uppercase[: len(item.options)]
        lines = [f"{a}.{text}" for a, text in zip(letters, item.options, strict=True)]
        prompt = "\n".join([item.prompt, *lines, "Answer:"])
        return replace(item, prompt=prompt, options=tuple(f" {letter}" for letter in letters))
    if template.kind == "chat":
        # Split before the subject is put in, which may have lines of its own.
        parts = (replace(template, text=part) for part in template.text.rsplit("\n", 1))
        question, reply = (part.render(fact) for part in parts)
        return replace(item, prompt=chat(tokenizer, question) + reply)
    return item


def behind_examples(prompt: str, fact: Fact, template: Template, pool: Sequence[Fact]) -> str:
    """A prompt of a fact, behind facts of the pool in the same words, with their answers."""
    told = examples(fact, template, pool)
    shown = [template.render(e) + template.follow(e, e.answer) for e in told]
    return "\n\n".join([*shown, prompt])


def examples(fact: Fact, template: Template, pool: Sequence[Fact]) -> list[Fact]:
    """Facts of the pool, in the template's own order, none of which gives the answer away."""
    order = random.Random(template.id).sample(pool, len(pool))
    others = [example for example in order if plain(example.answer) != plain(fact.answer)]
    return others[:SHOTS]


def chat(tokenizer: "PreTrainedTokenizerBase", question: str) -> str:
    """A question in the model's chat template, up to where the reply begins.

    Raises:
        InputError: The template cannot be rendered.
    """
    try:
        text = tokenizer.apply_chat_template(
            [{"role": "user", "content": question}], tokenize=False, add_generation_prompt=True
        )
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise InputError(
            f"This model's chat template cannot be rendered ({error}); correct it or remove it "
            "from the model's folder."
        ) from error
    # Where `encode` adds the token that begins a text, the template's own would be a second one.
    if tokenizer.bos_token_id in token_ids(tokenizer, "a")[:1]:
        text = str(text).removeprefix(str(tokenizer.bos_token))
    return str(text)
