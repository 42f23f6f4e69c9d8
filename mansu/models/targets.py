"""Where a padded batch of answers predicts which token."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from mansu.models.batch import Batch, pad


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
        return mean_by_row(values, self.row)


def mean_by_row(values: torch.Tensor, row: torch.Tensor) -> torch.Tensor:
    """Averages values over the rows they belong to, each of which has some, ``[rows]``.

    Args:
        values: One value a target, ``[targets]``.
        row: Their rows, ``[targets]``.
    """
    count = row.bincount()
    return values.new_zeros(len(count)).index_add(0, row, values) / count


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
