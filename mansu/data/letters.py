"""Questions with their options behind letters, of which the right one continues the prompt.

The words are those of lm-evaluation-harness for WMDP and MMLU, so that the accuracy under the
unturned template is its ``acc``: of ``" A"`` … ``" D"`` the likeliest is the answer. A turned
template lists the same options in another order, so that the right letter is another one: for
prompts that training never sees, and for attribution, whose corrupted prompt is the same question
turned, with the same tokens in other places [O].
"""

import random
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mansu.data.facts import FactSet
from mansu.data.pairs import Pair, first_pairs, pair_of, prompt_of
from mansu.data.templates import Fact, Template
from mansu.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

OPTIONS = 4
LETTERS = string.ascii_uppercase[:OPTIONS]
ABOUT = "The following are multiple choice questions (with answers) about {group}.\n\n"


@dataclass(frozen=True)
class Lettered(Template):
    """A template that lists the options of a fact, whose subject is the question.

    Its text also has the fact's group in place of ``{group}``.

    Attributes:
        turn: By how many places the options are moved up, the first ones to the end.
    """

    turn: int = 0

    def render(self, fact: Fact) -> str:
        """The question and its options, up to where the letter follows."""
        lines = [f"{a}. {option}" for a, option in zip(LETTERS, self._listed(fact), strict=True)]
        text = self.text.replace("{group}", fact.group or "")
        return text.replace("{subject}", "\n".join([fact.subject, *lines]))

    def follow(self, fact: Fact, option: str) -> str:
        """The letter behind which an option stands."""
        return f" {LETTERS[self._listed(fact).index(option)]}"

    def _listed(self, fact: Fact) -> tuple[str, ...]:
        return (*fact.listed[self.turn :], *fact.listed[: self.turn])


def lettered(start: str = "") -> tuple[Lettered, Lettered]:
    """The harness's prompt, which training sees, and the same with the options moved up by one.

    Args:
        start: What stands before the question, such as :data:`ABOUT`.
    """
    text = f"{start}{{subject}}\nAnswer:"
    return (
        Lettered("letters", text, "letters", "seen"),
        Lettered("turned", text, "letters", "held_out", turn=1),
    )


def turned_pairs(
    facts: FactSet,
    tokenizer: "PreTrainedTokenizerBase",
    count: int,
    seed: int,
    pool: Sequence[Fact] = (),
) -> tuple[Pair, ...]:
    """Draws pairs of a question and the same question turned, each question at most once.

    Args:
        facts: The questions.
        tokenizer: The model's.
        count: Pairs wanted.
        seed: Seed of the draw.
        pool: Further questions, which no pair needs.

    Raises:
        InputError: ``count`` is not positive, or no question keeps its length when turned.
    """
    rng = random.Random(seed)
    order = rng.sample(facts.facts, len(facts.facts))
    seen = [template for template in facts.seen if isinstance(template, Lettered)]
    pairs = (pair for template in seen for pair in _turned(template, order, tokenizer, rng))
    if found := first_pairs(pairs, count):
        return found
    raise InputError(
        f"The set {facts.name!r} gives no clean/corrupted pair: with this model's tokenizer no "
        "question has as many tokens with its options in another order; choose another model."
    )


def _turned(
    template: Lettered,
    facts: Sequence[Fact],
    tokenizer: "PreTrainedTokenizerBase",
    rng: random.Random,
) -> Iterator[Pair]:
    for fact in facts:
        clean = prompt_of(template, fact, tokenizer)
        turns = [replace(template, turn=turn) for turn in range(1, OPTIONS)]
        others = [prompt_of(turned, fact, tokenizer) for turned in turns]
        pairs = [
            pair_of(template, clean, other)
            for other in others
            if clean and other and len(clean.tokens) == len(other.tokens)
        ]
        if fitting := [pair for pair in pairs if pair is not None]:
            yield rng.choice(fitting)
