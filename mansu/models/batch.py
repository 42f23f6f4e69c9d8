"""Token sequences of unequal length as one padded batch with explicit positions.

Positions are passed to the model explicitly: a left-padded sequence then gets the same rotary
angles as a right-padded one, so results do not depend on the side of the padding.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch

PaddingSide = Literal["left", "right"]

BATCH_ROWS = 32
BATCH_TOKENS = 2048  # with padding: short prompts fill a batch, long questions go a few at a time


@dataclass(frozen=True)
class Batch:
    """A padded batch.

    Attributes:
        input_ids: Tokens, ``[batch, length]``.
        attention_mask: 1 on tokens, 0 on padding, ``[batch, length]``.
        position_ids: 0, 1, 2, … on the tokens of each row, 0 on padding, ``[batch, length]``.
        last: Index of each row's last token, ``[batch]``.
    """

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    position_ids: torch.Tensor
    last: torch.Tensor

    def inputs(self) -> dict[str, torch.Tensor]:
        """Keyword arguments of a model's forward pass."""
        return {
            "input_ids": self.input_ids,
            "attention_mask": self.attention_mask,
            "position_ids": self.position_ids,
        }

    def behind(self, mask: torch.Tensor) -> "Batch":
        """The batch where its rows go on from tokens that were read before.

        Args:
            mask: The attention mask of those, ``[batch, earlier]``.
        """
        whole = torch.cat([mask, self.attention_mask], 1)
        positions = self.position_ids + mask.sum(1, keepdim=True)
        return replace(self, attention_mask=whole, position_ids=positions)


def cuts(lengths: Sequence[int]) -> Iterator[slice]:
    """Cuts sequences, in their order, into batches of a bounded size; one row at the least.

    Args:
        lengths: Tokens of each sequence.
    """
    start, longest = 0, 0
    for row, length in enumerate(lengths):
        longest = max(longest, length)
        rows = row + 1 - start
        if rows > 1 and (rows > BATCH_ROWS or rows * longest > BATCH_TOKENS):
            yield slice(start, row)
            start, longest = row, length
    if lengths:
        yield slice(start, len(lengths))


def largest_cut(lengths: Sequence[int]) -> tuple[int, int]:
    """Rows and padded tokens of the largest batch that :func:`cuts` gives."""
    batches = [lengths[rows] for rows in cuts(lengths)]
    tokens, rows = max((len(batch) * max(batch), len(batch)) for batch in batches)
    return rows, tokens


def pad(
    sequences: Sequence[Sequence[int]],
    pad_id: int,
    device: torch.device | str = "cpu",
    side: PaddingSide = "right",
) -> Batch:
    """Pads token sequences to the longest of them."""
    length = max(len(sequence) for sequence in sequences)
    input_ids = torch.full((len(sequences), length), pad_id, dtype=torch.long)
    mask = torch.zeros(len(sequences), length, dtype=torch.long)
    for row, sequence in enumerate(sequences):
        start = length - len(sequence) if side == "left" else 0
        input_ids[row, start : start + len(sequence)] = torch.tensor(list(sequence))
        mask[row, start : start + len(sequence)] = 1
    positions = (mask.cumsum(1) - 1).clamp(min=0) * mask
    last = (mask * torch.arange(length)).argmax(1)
    return Batch(*(t.to(device) for t in (input_ids, mask, positions, last)))
