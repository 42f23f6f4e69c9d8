"""Training examples: a fact under a template, as tokens with the answer marked."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedTokenizerBase

from mansu.data.encoding import encode
from mansu.data.facts import Fact, Template
from mansu.models import Batch, pad


@dataclass(frozen=True)
class Example:
    """One prompt with its answer.

    Attributes:
        fact_id: The fact it states.
        tokens: Prompt and answer, without an end-of-text token.
        answer_start: Index of the answer's first token; at least 1.
        substitute: First distractor's tokens in place of the answer, for relabelling objectives.
    """

    fact_id: str
    tokens: tuple[int, ...]
    answer_start: int
    substitute: tuple[int, ...]


def build_examples(
    tokenizer: PreTrainedTokenizerBase,
    facts: Sequence[Fact],
    templates: Sequence[Template],
) -> tuple[Example, ...]:
    """Every fact under every template."""
    examples = []
    for fact in facts:
        for template in templates:
            prompt = template.render(fact)
            right = encode(tokenizer, prompt, f" {fact.answer}")
            wrong = encode(tokenizer, prompt, f" {fact.distractors[0]}")
            tokens = (*right.prompt_ids, *right.continuation_ids)
            substitute = (*wrong.prompt_ids, *wrong.continuation_ids)
            examples.append(Example(fact.id, tokens, len(right.prompt_ids), substitute))
    return tuple(examples)


@dataclass(frozen=True)
class Targets:
    """Where a padded batch predicts what.

    Attributes:
        batch: The padded tokens.
        row: Row of each predicted token, ``[targets]``.
        position: Position whose hidden state predicts it, ``[targets]``.
        token: The token to predict, ``[targets]``.
    """

    batch: Batch
    row: torch.Tensor
    position: torch.Tensor
    token: torch.Tensor

    @property
    def per_row(self) -> torch.Tensor:
        """How many tokens each row predicts, ``[rows]``."""
        return self.row.bincount(minlength=self.batch.input_ids.shape[0])

    def mean_per_row(self, values: torch.Tensor) -> torch.Tensor:
        """Averages one value per target over each row's targets, ``[targets] -> [rows]``."""
        sums = values.new_zeros(len(self.per_row)).index_add(0, self.row, values)
        return sums / self.per_row


def answer_targets(
    sequences: Sequence[tuple[int, ...]],
    starts: Sequence[int],
    pad_id: int,
    device: torch.device | str,
) -> Targets:
    """Pads sequences and marks every token from ``starts`` on as predicted."""
    spots = [
        (row, position - 1, tokens[position])
        for row, (tokens, start) in enumerate(zip(sequences, starts, strict=True))
        for position in range(start, len(tokens))
    ]
    row, position, token = torch.tensor(spots, device=device).T
    return Targets(pad(sequences, pad_id, device), row, position, token)
