"""One precision of the model in training: its cached streams, and its losses of drawn examples."""

from collections.abc import Sequence
from typing import Protocol

import torch

from mansu.models.targets import answer_targets
from mansu.unlearn.methods.base import ForgetLoss
from mansu.unlearn.objectives import forget_term, retain_term
from mansu.unlearn.view import Streams, View


class Terms(Protocol):
    """What of the training's settings the losses read."""

    @property
    def forget_loss(self) -> ForgetLoss: ...
    @property
    def beta(self) -> float: ...
    @property
    def margin(self) -> float: ...


class Side:
    """One precision's cached streams and its losses."""

    def __init__(
        self,
        view: View,
        forget: Sequence[tuple[int, ...]],
        starts: Sequence[int],
        retain: Sequence[tuple[int, ...]],
        retain_starts: Sequence[int],
    ) -> None:
        self.view = view
        self._forget, self._starts = forget, starts
        self._retain, self._retain_starts = retain, retain_starts
        self._forget_streams: Streams = view.streams(forget)
        self._retain_streams: Streams = view.streams(retain)

    def losses(
        self,
        weights: dict[str, torch.Tensor],
        forget: Sequence[int],
        retain: Sequence[int],
        settings: Terms,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean forget and retain terms of the drawn examples; one forward pass for both."""
        rows = [self._forget[i] for i in forget] + [self._retain[i] for i in retain]
        lower = [self._forget_streams.lower[i] for i in forget]
        lower += [self._retain_streams.lower[i] for i in retain]
        starts = [self._starts[i] for i in forget] + [self._retain_starts[i] for i in retain]
        model = self.view.model
        targets = answer_targets(rows, starts, model.pad_id, model.device)
        hidden = self.view.hidden(targets.batch, lower, weights)
        log_probs = model.log_probs(hidden[targets.row, targets.position])  # [targets, vocabulary]

        final = [self._forget_streams.final[i] for i in forget]
        final += [self._retain_streams.final[i] for i in retain]
        original = torch.nn.utils.rnn.pad_sequence(final, batch_first=True)
        with torch.no_grad():
            reference = model.log_probs(original[targets.row, targets.position])

        answers = targets.row < len(forget)
        spread = torch.zeros_like(answers, dtype=log_probs.dtype)
        token = targets.token[:, None]
        likely = targets.mean_per_row(
            torch.where(answers, log_probs.gather(1, token)[:, 0], spread)
        )
        was = targets.mean_per_row(torch.where(answers, reference.gather(1, token)[:, 0], spread))
        forget_rows = slice(len(forget))
        forget_loss = forget_term(
            settings.forget_loss,
            likely[forget_rows],
            was[forget_rows],
            targets.per_row[forget_rows],
            settings.beta,
            settings.margin,
        ).mean()
        return forget_loss, retain_term(log_probs[~answers], reference[~answers]).mean()
