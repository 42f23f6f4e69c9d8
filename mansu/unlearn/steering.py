"""RMU's losses: where the forget set's activations go, and how far the retain set's have come."""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F

from mansu.data.examples import Example
from mansu.models import pad
from mansu.unlearn.side import Terms
from mansu.unlearn.view import View


def control_vector(seed: int, width: int) -> torch.Tensor:
    """u: uniform on [0, 1] per coordinate, of length 1, ``[width]``; the seed alone decides it."""
    drawn = torch.rand(width, generator=torch.Generator().manual_seed(seed))
    return drawn / drawn.norm()


class Steering:
    """The two terms in one precision.

    Args:
        view: The model from the lowest trained block to the one that is steered, ℓ.
        forget, retain: The examples that training will draw, by their index; no retain examples
            where nothing holds them.
        target: c·u, ``[width]``.
    """

    def __init__(
        self,
        view: View,
        forget: Mapping[int, Example],
        retain: Mapping[int, Example],
        target: torch.Tensor,
    ) -> None:
        self._view, self._target = view, target
        self._tokens = [{i: e.tokens for i, e in side.items()} for side in (forget, retain)]
        asked, kept = (
            view.streams([*tokens.values()], final=final)
            for tokens, final in zip(self._tokens, (False, True), strict=True)
        )
        self._lower = [
            dict(zip(tokens, streams.lower, strict=True))
            for tokens, streams in zip(self._tokens, (asked, kept), strict=True)
        ]
        self._before = dict(zip(retain, kept.final, strict=True))  # h⁰_ℓ, each [length, width]

    @property
    def precision(self) -> str:
        """The view's."""
        return self._view.precision

    def losses(
        self, weights: dict[str, torch.Tensor], forget: Sequence[int], retain: Sequence[int]
    ) -> Terms:
        """Mean squares over the width and over all tokens of the drawn examples, padding left out.

        Prompt and answer, and what a tokenizer puts in front; one forward pass for both terms.
        """
        drawn = [(0, i) for i in forget] + [(1, i) for i in retain if self._before]
        rows = [self._tokens[side][i] for side, i in drawn]
        batch = pad(rows, self._view.model.pad_id, self._view.model.device)
        hidden = self._view.hidden(batch, [self._lower[side][i] for side, i in drawn], weights)
        # Row after row, as the tokens stand in them: [tokens, width].
        asked, held = (
            part[mask].float()
            for part, mask in zip(
                (hidden[: len(forget)], hidden[len(forget) :]),
                batch.attention_mask.bool().split([len(forget), len(rows) - len(forget)]),
                strict=True,
            )
        )
        moved = F.mse_loss(asked, self._target.to(asked).expand_as(asked))
        if not self._before:
            return moved, torch.zeros_like(moved)
        before = torch.cat([self._before[i] for i in retain])
        return moved, F.mse_loss(held, before.float())
