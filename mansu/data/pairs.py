"""Clean/corrupted prompt pairs for attribution.

Both prompts state the same relation with the same template about different subjects, have equally
many tokens, and call for answers that differ in their first token, so that activations can be
exchanged position by position and a logit difference tells the answers apart [O]
(Hanna et al. 2024 ask the same of their pairs). Where a prompt has no such partner, one whose
answer begins alike serves: both prompts then go on with what the answers share.
"""

import itertools
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mansu.data.encoding import encode, token_ids
from mansu.data.facts import FactSet
from mansu.data.templates import Fact, Template
from mansu.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Pair:
    """Two prompts of equal length, as token ids.

    Attributes:
        fact_id: The clean prompt's fact.
        template_id: The template of both.
        clean: The prompt of the fact itself, and what both answers begin with.
        corrupted: The same of another subject, ``len(corrupted) == len(clean)``.
        clean_answer: First token of the clean prompt's answer behind that.
        corrupted_answer: First token of the corrupted prompt's answer there, another token.
        rest: What follows ``clean_answer`` in the clean prompt's answer.
    """

    fact_id: str
    template_id: str
    clean: tuple[int, ...]
    corrupted: tuple[int, ...]
    clean_answer: int
    corrupted_answer: int
    rest: tuple[int, ...] = ()


@dataclass(frozen=True)
class Prompt:
    """A fact under a template: the tokens of its prompt and of its answer."""

    fact_id: str
    tokens: tuple[int, ...]
    answer: tuple[int, ...]


def build_pairs(
    fact_set: FactSet,
    tokenizer: "PreTrainedTokenizerBase",
    count: int,
    seed: int,
    pool: Sequence[Fact] = (),
) -> tuple[Pair, ...]:
    """Draws pairs, spread evenly over the set's facts and seen templates.

    Every fact is used once before any is used twice, and its template moves on by one each time,
    so no clean prompt occurs twice. Fewer than ``count`` pairs come back when there are no more.

    Args:
        fact_set: The facts of the clean prompts.
        tokenizer: The model's.
        count: Pairs wanted.
        seed: Seed of the draw.
        pool: Facts of the same form that corrupted prompts may be about where the set itself gives
            no pair.

    Raises:
        InputError: ``count`` is not positive, or the set gives no pair with this tokenizer.
    """
    rng = random.Random(seed)
    templates = rng.sample(fact_set.seen, len(fact_set.seen))
    facts = rng.sample(fact_set.facts, len(fact_set.facts))
    prompts = {template.id: _prompts(template, facts, tokenizer) for template in templates}
    for others in (facts, pool):
        partners = {t.id: _by_length(_prompts(t, others, tokenizer).values()) for t in templates}
        if found := first_pairs(_pairs(templates, facts, prompts, partners, rng), count):
            return found
    raise InputError(_why_none(fact_set, prompts))


def first_pairs(pairs: Iterator[Pair], count: int) -> tuple[Pair, ...]:
    """So many pairs, or as many as there are.

    Args:
        pairs: What draws them, one after the other.
        count: Pairs wanted.

    Raises:
        InputError: ``count`` is not positive.
    """
    if count < 1:
        raise InputError(f"At least 1 attribution pair is needed, not {count}.")
    return tuple(itertools.islice(pairs, count))


def _pairs(
    templates: Sequence[Template],
    facts: Sequence[Fact],
    prompts: dict[str, dict[str, Prompt]],
    partners: dict[str, dict[int, list[Prompt]]],
    rng: random.Random,
) -> Iterator[Pair]:
    """Every pair that there is, in the order in which they are used."""
    for turn in range(len(templates)):
        for place, fact in enumerate(facts):
            template = templates[(place + turn) % len(templates)]
            clean = prompts[template.id].get(fact.id)
            if clean is None:
                continue
            others = [pair_of(template, clean, p) for p in partners[template.id][len(clean.tokens)]]
            others = [pair for pair in others if pair is not None]
            if others:
                shortest = min(len(pair.clean) for pair in others)
                yield rng.choice([pair for pair in others if len(pair.clean) == shortest])


def _prompts(
    template: Template, facts: Sequence[Fact], tokenizer: "PreTrainedTokenizerBase"
) -> dict[str, Prompt]:
    """Prompts by fact, without those whose own tokens do not survive the answer."""
    found = {fact.id: prompt_of(template, fact, tokenizer) for fact in facts}
    return {name: prompt for name, prompt in found.items() if prompt is not None}


def prompt_of(
    template: Template, fact: Fact, tokenizer: "PreTrainedTokenizerBase"
) -> Prompt | None:
    """A fact's prompt; None where its own tokens do not survive the answer."""
    text = template.render(fact)
    answer = template.follow(fact, fact.answer)
    encoded = encode(tokenizer, text, answer)
    joint = token_ids(tokenizer, text + answer)
    intact = joint[: len(encoded.prompt_ids)] == encoded.prompt_ids
    if not intact or not encoded.continuation_ids:
        return None
    return Prompt(fact.id, encoded.prompt_ids, encoded.continuation_ids)


def _by_length(prompts: Iterable[Prompt]) -> dict[int, list[Prompt]]:
    groups: dict[int, list[Prompt]] = defaultdict(list)
    for prompt in prompts:
        groups[len(prompt.tokens)].append(prompt)
    return groups


def pair_of(template: Template, clean: Prompt, other: Prompt) -> Pair | None:
    """The two prompts up to where their answers part; None if they do not, or prompts are equal."""
    apart = [a != b for a, b in zip(clean.answer, other.answer, strict=False)]
    if clean.tokens == other.tokens or not any(apart):
        return None
    place = apart.index(True)
    shared = clean.answer[:place]
    return Pair(
        clean.fact_id,
        template.id,
        clean.tokens + shared,
        other.tokens + shared,
        clean.answer[place],
        other.answer[place],
        clean.answer[place + 1 :],
    )


def _why_none(fact_set: FactSet, prompts: dict[str, dict[str, Prompt]]) -> str:
    start = f"The fact set {fact_set.name!r} gives no clean/corrupted pair"
    if len(fact_set.facts) < 2:
        return f"{start}: it has a single fact, and a pair needs two subjects; add one."
    by_template = [list(group.values()) for group in prompts.values()]
    if not any(by_template):
        return f"{start}: this model's tokenizer merges every prompt with its answer."
    if len({prompt.answer for group in by_template for prompt in group}) < 2:
        return f"{start}: all answers are the same; a pair needs two."
    return (
        f"{start}: no two prompts of a seen template have equally many tokens and answers that "
        "differ; add facts with subjects of similar length, here or in its pool."
    )
