"""What a method does with a step's gradients, or with AdamW's step, beyond the loop's own."""

import torch


class Rule:
    """A method's own rule; this one does what the loop does without any.

    Attributes:
        corrects: Whether :meth:`correct` is to be called.
    """

    corrects: bool = False

    def combine(
        self, forget: torch.Tensor, retain: torch.Tensor, optimizer: torch.optim.Optimizer
    ) -> torch.Tensor:
        """The gradient to step down, from those of L_forget and of λ·L_retain, ``[movable]``."""
        return forget + retain

    def correct(
        self, before: torch.Tensor, after: torch.Tensor, optimizer: torch.optim.Optimizer
    ) -> None:
        """Changes the latents in place once AdamW has stepped them from ``before``."""

    def remembered(self) -> dict[str, torch.Tensor]:
        """What a killed training needs to go on exactly."""
        return {}

    def resume(self, beside: dict[str, torch.Tensor]) -> None:
        """Takes what was remembered; nothing at the start."""
