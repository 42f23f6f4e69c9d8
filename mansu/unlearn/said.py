"""What a model says of a step's examples, and the terms of a loss made of it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch

from mansu.models.targets import mean_by_row
from mansu.unlearn.prior import Aim


@dataclass(frozen=True)
class Said:
    """Log-probabilities at the answer tokens of some examples, under θ and under θ₀.

    Attributes:
        log_probs: Under θ, ``[tokens, vocabulary]``, in nats.
        reference: Under θ₀ in the same precision, same shape; None where no term reads it.
        token: The token that is trained on, ``[tokens]``.
        row: The example that each belongs to, ``[tokens]``.
        per_row: How many tokens each example has, ``[examples]``.
        aim: What the prior target asks for, where it is the term.
    """

    log_probs: torch.Tensor
    reference: torch.Tensor | None
    token: torch.Tensor
    row: torch.Tensor
    per_row: torch.Tensor
    aim: Aim | None = None

    @cached_property
    def likelihood(self) -> torch.Tensor:
        """Mean log-probability of each example's tokens under θ, ``[examples]``."""
        return self._mean(self.log_probs)

    @cached_property
    def reference_likelihood(self) -> torch.Tensor:
        """The same under θ₀."""
        return self._mean(self.compared)

    @property
    def compared(self) -> torch.Tensor:
        """The reference, where an objective has said that it compares.

        Raises:
            ValueError: It has not.
        """
        if self.reference is None:
            raise ValueError("an objective that compares with θ₀ must say so")
        return self.reference

    def _mean(self, log_probs: torch.Tensor) -> torch.Tensor:
        return mean_by_row(log_probs.gather(1, self.token[:, None])[:, 0], self.row)


Term = Callable[[Said], torch.Tensor]


@dataclass(frozen=True)
class Objective:
    """A loss L = L_forget + λ·L_retain, each term one number of a step's examples.

    Attributes:
        forget: L_forget.
        retain: L_retain; None where nothing holds the retain set.
        weight: λ; at 0, the retain examples are not run.
        compares: Whether L_forget reads what θ₀ says.
        retain_compares: Whether L_retain does.
        relabels: Whether the forget examples get a wrong answer in their own one's place.
    """

    forget: Term
    retain: Term | None = None
    weight: float = 0.0
    compares: bool = False
    retain_compares: bool = True
    relabels: bool = False
