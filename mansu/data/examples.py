"""Training examples: a fact under a template, as tokens with the answer marked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mansu.data.encoding import encode
from mansu.data.templates import Fact, Template

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Example:
    """One prompt with its answer.

    Attributes:
        fact_id: The fact it states.
        tokens: Prompt and answer, without an end-of-text token.
        answer_start: Index of the answer's first token; at least 1.
        substitute: First distractor's tokens in place of the answer, for relabelling objectives.
        template_id: The template it uses.
    """

    fact_id: str
    tokens: tuple[int, ...]
    answer_start: int
    substitute: tuple[int, ...]
    template_id: str = ""


def build_examples(
    tokenizer: "PreTrainedTokenizerBase",
    facts: Sequence[Fact],
    templates: Sequence[Template],
) -> tuple[Example, ...]:
    """Every fact under every template."""
    examples = []
    for fact in facts:
        for template in templates:
            prompt = template.render(fact)
            right = encode(tokenizer, prompt, template.follow(fact, fact.answer))
            wrong = encode(tokenizer, prompt, template.follow(fact, fact.distractors[0]))
            tokens = (*right.prompt_ids, *right.continuation_ids)
            substitute = (*wrong.prompt_ids, *wrong.continuation_ids)
            start = len(right.prompt_ids)
            examples.append(Example(fact.id, tokens, start, substitute, template.id))
    return tuple(examples)
