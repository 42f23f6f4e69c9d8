"""One precision of the model in training: its cached streams, and its losses of drawn examples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from mansu.models.targets import answer_targets, mean_by_row
from mansu.unlearn.methods.base import ForgetLoss
from mansu.unlearn.objectives import forget_term, retain_term
from mansu.unlearn.prior import Aim
from mansu.unlearn.view import View


class Terms(Protocol):
    """What of the training's settings the losses read."""

    @property
    def forget_loss(self) -> ForgetLoss: ...
    @property
    def beta(self) -> float: ...
    @property
    def margin(self) -> float: ...


@dataclass(frozen=True)
class Answered:
    """Prompts with their answers, as far as training reads them.

    Attributes:
        tokens: Prompt and answer, by the example's index.
        starts: Where the answer begins.
    """

    tokens: Mapping[int, tuple[int, ...]]
    starts: Mapping[int, int]


class Side:
    """One precision's cached streams and its losses.

    Args:
        view: The model in that precision.
        forget, retain: The examples that training will draw.
        compared: Whether the forget term compares with what θ₀ says of the forget set.
    """

    def __init__(self, view: View, forget: Answered, retain: Answered, compared: bool) -> None:
        self.view = view
        self._forget, self._retain, self._compared = forget, retain, compared
        streams = view.streams([*forget.tokens.values()], final=compared)
        kept = view.streams([*retain.tokens.values()])
        self._forget_lower = dict(zip(forget.tokens, streams.lower, strict=True))
        self._forget_final = dict(zip(forget.tokens, streams.final, strict=compared))
        self._retain_lower = dict(zip(retain.tokens, kept.lower, strict=True))
        self._retain_final = dict(zip(retain.tokens, kept.final, strict=True))

    def losses(
        self,
        weights: dict[str, torch.Tensor],
        forget: Sequence[int],
        retain: Sequence[int],
        settings: Terms,
        aim: Aim | None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean forget and retain terms of the drawn examples; one forward pass for both.

        Args:
            weights: The trained weights by name.
            forget, retain: Which examples.
            settings: Kind and settings of the forget term.
            aim: What the forget examples' answers should be, where the term is the prior's.
        """
        rows = [self._forget.tokens[i] for i in forget] + [self._retain.tokens[i] for i in retain]
        lower = [self._forget_lower[i] for i in forget]
        lower += [self._retain_lower[i] for i in retain]
        starts = [self._forget.starts[i] for i in forget]
        starts += [self._retain.starts[i] for i in retain]
        model = self.view.model
        targets = answer_targets(rows, starts, model.pad_id, model.device)
        hidden = self.view.hidden(targets.batch, lower, weights)
        log_probs = model.log_probs(hidden[targets.row, targets.position])  # [targets, vocabulary]
        answers = targets.row < len(forget)

        kept = [self._retain_final[i] for i in retain]
        reference = self._said(
            kept, targets.row[~answers] - len(forget), targets.position[~answers]
        )
        retained = retain_term(log_probs[~answers], reference).mean()
        if aim is not None:
            return aim.term(log_probs[answers]), retained
        row, token = targets.row[answers], targets.token[answers, None]
        was = log_probs.detach()[answers]  # where the term compares with nothing
        if self._compared:
            final = [self._forget_final[i] for i in forget]
            was = self._said(final, row, targets.position[answers])
        forget_loss = forget_term(
            settings.forget_loss,
            mean_by_row(log_probs[answers].gather(1, token)[:, 0], row),
            mean_by_row(was.gather(1, token)[:, 0], row),
            targets.per_row[: len(forget)],
            settings.beta,
            settings.margin,
        ).mean()
        return forget_loss, retained

    def _said(
        self, final: Sequence[torch.Tensor], row: torch.Tensor, position: torch.Tensor
    ) -> torch.Tensor:
        """θ₀'s log-probabilities at some places, ``[places, vocabulary]``."""
        states = torch.nn.utils.rnn.pad_sequence(list(final), batch_first=True)
        with torch.no_grad():
            return self.view.model.log_probs(states[row, position])
