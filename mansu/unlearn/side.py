"""One precision of the model in training: its cached streams, and its losses of drawn examples."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from mansu.data.examples import Example
from mansu.models.targets import answer_targets
from mansu.unlearn.prior import Aim
from mansu.unlearn.said import Objective, Said
from mansu.unlearn.view import View

Terms = tuple[torch.Tensor, torch.Tensor]


class Losses(Protocol):
    """What descent steps down: the two terms of a step's examples in one precision."""

    @property
    def precision(self) -> str: ...

    def losses(
        self, weights: dict[str, torch.Tensor], forget: Sequence[int], retain: Sequence[int]
    ) -> Terms:
        """Mean forget and retain terms of the drawn examples; 0 where a set has none.

        Args:
            weights: The trained weights by name.
            forget, retain: Which examples.
        """
        ...


@dataclass(frozen=True)
class _Answered:
    """Prompts with their answers, as far as training reads them.

    Attributes:
        tokens: Prompt and answer, by the example's index.
        starts: Where the answer begins.
        lower: What enters the lowest trained block.
        final: θ₀'s final hidden states; none where no term compares with them.
    """

    tokens: Mapping[int, tuple[int, ...]]
    starts: Mapping[int, int]
    lower: Mapping[int, torch.Tensor]
    final: Mapping[int, torch.Tensor]


class Side:
    """One precision's cached streams and its losses.

    Args:
        view: The model in that precision.
        forget, retain: The examples that training will draw, by their index.
        objective: The loss.
        aim: What some forget examples' answers should be, where that is the term.
    """

    def __init__(
        self,
        view: View,
        forget: Mapping[int, Example],
        retain: Mapping[int, Example],
        objective: Objective,
        aim: Callable[[tuple[int, ...]], Aim] | None = None,
    ) -> None:
        self.view, self._objective, self._aim = view, objective, aim
        self._forget = _read(view, forget, objective.compares, objective.relabels)
        self._retain = _read(view, retain, objective.retain_compares)

    @property
    def precision(self) -> str:
        """The view's."""
        return self.view.precision

    def losses(
        self, weights: dict[str, torch.Tensor], forget: Sequence[int], retain: Sequence[int]
    ) -> Terms:
        """Mean forget and retain terms of the drawn examples; one forward pass for both.

        Without a retain term its examples are not run. The term of a set without examples is 0.
        """
        objective, model = self._objective, self.view.model
        kept = retain if objective.weight else ()
        sides = [(self._forget, i) for i in forget] + [(self._retain, i) for i in kept]
        rows = [side.tokens[i] for side, i in sides]
        starts = [side.starts[i] for side, i in sides]
        targets = answer_targets(rows, starts, model.pad_id, model.device)
        hidden = self.view.hidden(targets.batch, [side.lower[i] for side, i in sides], weights)
        log_probs = model.log_probs(hidden[targets.row, targets.position])  # [targets, vocabulary]

        def said(side: _Answered, drawn: Sequence[int], first: int) -> Said:
            mine = (targets.row >= first) & (targets.row < first + len(drawn))
            row, reference = targets.row[mine] - first, None
            if side.final:
                states = [side.final[i] for i in drawn]
                reference = self._before(states, row, targets.position[mine])
            return Said(
                log_probs[mine],
                reference,
                targets.token[mine],
                row,
                targets.per_row[first : first + len(drawn)],
                self._aim(tuple(drawn)) if self._aim and side is self._forget else None,
            )

        nothing = log_probs.new_zeros(())
        asked = objective.forget(said(self._forget, forget, 0)) if forget else nothing
        if objective.retain is None or not kept:
            return asked, nothing
        return asked, objective.retain(said(self._retain, kept, len(forget)))

    def _before(
        self, final: Sequence[torch.Tensor], row: torch.Tensor, position: torch.Tensor
    ) -> torch.Tensor:
        """θ₀'s log-probabilities at some places, ``[places, vocabulary]``."""
        states = torch.nn.utils.rnn.pad_sequence(list(final), batch_first=True)
        with torch.no_grad():
            return self.view.model.log_probs(states[row, position])


def _read(
    view: View, examples: Mapping[int, Example], compares: bool, relabels: bool = False
) -> _Answered:
    """Runs θ₀ over examples once; where they are relabelled, over their wrong answers."""
    tokens = {i: e.substitute if relabels else e.tokens for i, e in examples.items()}
    streams = view.streams([*tokens.values()], final=compares)
    return _Answered(
        tokens,
        {i: e.answer_start for i, e in examples.items()},
        dict(zip(tokens, streams.lower, strict=True)),
        dict(zip(tokens, streams.final, strict=True)) if compares else {},
    )
