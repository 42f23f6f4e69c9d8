"""Clean/corrupted pairs as one padded batch of embeddings."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from mansu.data.pairs import Pair
from mansu.errors import InputError
from mansu.models import LanguageModel, pad
from mansu.models.batch import PaddingSide


@dataclass(frozen=True)
class Prompts:
    """A padded batch of clean/corrupted pairs; both prompts of a pair have the same length.

    Attributes:
        clean: Embeddings of the clean prompts, ``[pairs, positions, d]``.
        corrupted: Embeddings of the corrupted prompts, ``[pairs, positions, d]``.
        attention_mask: 1 on tokens, 0 on padding, ``[pairs, positions]``.
        position_ids: ``[pairs, positions]``.
        last: Index of each prompt's last token, ``[pairs]``.
        clean_answer: First token of the clean answer, ``[pairs]``.
        corrupted_answer: First token of the corrupted answer, ``[pairs]``.
    """

    clean: torch.Tensor
    corrupted: torch.Tensor
    attention_mask: torch.Tensor
    position_ids: torch.Tensor
    last: torch.Tensor
    clean_answer: torch.Tensor
    corrupted_answer: torch.Tensor

    def __len__(self) -> int:
        return self.last.shape[0]

    def inputs(self, copies: int) -> dict[str, Any]:
        """What the decoder needs beside the embeddings, for the batch repeated ``copies`` times."""
        return {
            "attention_mask": self.attention_mask.repeat(copies, 1),
            "position_ids": self.position_ids.repeat(copies, 1),
        }

    def between(self, alphas: Sequence[float]) -> torch.Tensor:
        """Embeddings ``corrupted + α (clean − corrupted)`` stacked over α.

        0 and 1 give the two prompts exactly.

        Returns:
            ``[len(alphas) · pairs, positions, d]``, the pairs of the first α first.
        """
        low, high = self.corrupted.to(working(self.clean)), self.clean.to(working(self.clean))
        rows = [torch.lerp(low, high, alpha) for alpha in alphas]
        return torch.cat(rows).to(self.clean.dtype)


def working(tensor: torch.Tensor) -> torch.dtype:
    """The dtype sums are kept in: at least float32."""
    return torch.promote_types(tensor.dtype, torch.float32)


def check_pairs(pairs: Sequence[Pair]) -> None:
    """Refuses pairs that cannot be attributed.

    Raises:
        InputError: No pairs, a pair of unequal or zero length, or one whose answers are equal.
    """
    if not pairs:
        raise InputError("There are no clean/corrupted pairs; give at least one.")
    for number, pair in enumerate(pairs):
        if len(pair.clean) != len(pair.corrupted) or not pair.clean:
            raise InputError(
                f"Pair {number} has {len(pair.clean)} clean and {len(pair.corrupted)} corrupted "
                "tokens; both prompts of a pair must have the same length of at least one."
            )
        if pair.clean_answer == pair.corrupted_answer:
            raise InputError(
                f"Pair {number} has the same first answer token on both sides, so its logit "
                "difference is always 0; choose another corrupted subject."
            )


def embed(model: LanguageModel, pairs: Sequence[Pair], side: PaddingSide) -> Prompts:
    """Pads pairs to the longest of them and looks their embeddings up."""
    clean = pad([pair.clean for pair in pairs], model.pad_id, model.device, side)
    corrupted = pad([pair.corrupted for pair in pairs], model.pad_id, model.device, side)
    table = model.module.get_input_embeddings()
    with torch.no_grad():
        embeddings = table(clean.input_ids), table(corrupted.input_ids)
    answers = [(pair.clean_answer, pair.corrupted_answer) for pair in pairs]
    clean_answer, corrupted_answer = torch.tensor(answers, device=model.device).T
    return Prompts(
        *embeddings, clean.attention_mask, clean.position_ids, clean.last, clean_answer,
        corrupted_answer,
    )  # fmt: skip
