"""Passages that a model may know by heart: a beginning, and how it goes on."""

import random
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mansu.data.facts import FactSet
from mansu.data.pairs import Pair, Prompt, first_pairs, pair_of, prompt_of
from mansu.data.templates import Fact, Template
from mansu.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PASSAGE = Template("passage", "{subject}", "cloze", "seen", joint=" ")
LONGEST = 64  # tokens of a passage's beginning in a pair


def cut_pairs(
    facts: FactSet,
    tokenizer: "PreTrainedTokenizerBase",
    count: int,
    seed: int,
    pool: Sequence[Fact] = (),
) -> tuple[Pair, ...]:
    """Draws pairs of two passages' beginnings, the last tokens of each, each clean one once. [O]

    Args:
        facts: The passages.
        tokenizer: The model's.
        count: Pairs wanted.
        seed: Seed of the draw.
        pool: Further passages, which no pair needs.

    Raises:
        InputError: ``count`` is not positive, or no two passages go on differently.
    """
    template = facts.seen[0]
    found = (prompt_of(template, fact, tokenizer) for fact in facts.facts)
    prompts = [prompt for prompt in found if prompt is not None]
    if pairs := first_pairs(_cut(template, prompts, tokenizer, random.Random(seed)), count):
        return pairs
    raise InputError(
        f"The set {facts.name!r} gives no clean/corrupted pair: no two of its passages go on with "
        "another token; choose another set or model."
    )


def _cut(
    template: Template,
    prompts: Sequence[Prompt],
    tokenizer: "PreTrainedTokenizerBase",
    rng: random.Random,
) -> Iterator[Pair]:
    for clean in rng.sample(prompts, len(prompts)):
        others = [other for other in prompts if other.answer[0] != clean.answer[0]]
        if others:
            other = rng.choice(others)
            length = min(len(clean.tokens), len(other.tokens), LONGEST)
            cut = (_last(prompt, length, tokenizer) for prompt in (clean, other))
            if (pair := pair_of(template, *cut)) is not None:
                yield pair


def _last(prompt: Prompt, length: int, tokenizer: "PreTrainedTokenizerBase") -> Prompt:
    """A prompt's last tokens, behind the token that starts every text where there is one."""
    first, *rest = prompt.tokens[-length:]
    first = prompt.tokens[0] if prompt.tokens[0] == tokenizer.bos_token_id else first
    return Prompt(prompt.fact_id, (first, *rest), prompt.answer)
