"""What training moves: the movable weights as one flat vector.

``Latents`` is plain training: a weight is its latent. ``InLoopLatents`` (``in_loop.py``) trains
through the quantizer. Both write the latents into the matrices and gather the matrices'
gradients back, so the trainer knows nothing of floors.
"""

from collections.abc import Mapping
from functools import partial

import torch

from mansu.unlearn.mask import Movable


class Latents:
    """Movable weights, trained as they are.

    Args:
        originals: The original matrices that hold movable weights, by name.
        movable: Which of them may move.

    Attributes:
        values: The latents, ``[movable]``; what the optimizer steps.
        weights: These matrices with the latents written in, by precision and name.
    """

    precisions: tuple[str, ...] = ("fp",)

    def __init__(self, originals: Mapping[str, torch.Tensor], movable: Movable) -> None:
        self.index = {
            name: index.to(originals[name].device) for name, index in movable.index.items()
        }
        self.names = [*movable.sizes]
        self.sizes = [*movable.sizes.values()]
        # Masters are float32 even where the model is bf16: AdamW's steps would vanish in bf16.
        self.original = self._gather(originals).float()  # [movable]
        self.values = self.original.clone()
        self.weights: dict[str, dict[str, torch.Tensor]] = {"fp": _leaves(originals)}

    def write(self) -> None:
        """Puts the latents into the matrices."""
        self._scatter("fp", self.values)

    def clamp(self) -> None:
        """Keeps the latents where the method allows them; plain training allows everything."""

    def gradient(self, loss: torch.Tensor, precision: str) -> torch.Tensor:
        """The loss's gradient at the latents, ``[movable]``.

        A matrix's gradient is let go as soon as the latents' share is taken, so that only one is
        held at a time.

        Args:
            loss: The loss.
            precision: Which precision's matrices it was taken with.
        """
        shares: dict[str, torch.Tensor] = {}

        def take(name: str, matrix: torch.Tensor) -> None:
            gradient, matrix.grad = matrix.grad, None
            if gradient is not None:
                shares[name] = self._chosen(name, gradient).float()

        leaves = self.weights[precision].items()
        hooks = [
            leaf.register_post_accumulate_grad_hook(partial(take, name)) for name, leaf in leaves
        ]
        try:
            loss.backward()
        finally:
            for hook in hooks:
                hook.remove()
        return torch.cat([shares[name] for name in self.names])

    def update(self, values: torch.Tensor) -> dict[str, torch.Tensor]:
        """What the model's weights are with some latents, by name: of those in ``index``, or all.

        Args:
            values: The latents, ``[movable]``.
        """
        return dict(zip(self.names, values.split(self.sizes), strict=True))

    def _chosen(self, name: str, matrix: torch.Tensor) -> torch.Tensor:
        """The movable weights of a matrix; of one that moves as a whole, all."""
        flat = matrix.flatten()
        return flat[self.index[name]] if name in self.index else flat

    def _gather(self, matrices: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return torch.cat([self._chosen(name, matrices[name]) for name in self.names])

    def _scatter(self, precision: str, values: torch.Tensor) -> None:
        with torch.no_grad():
            for name, part in zip(self.names, values.split(self.sizes), strict=True):
                matrix = self.weights[precision][name]
                if name in self.index:
                    matrix.view(-1)[self.index[name]] = part.to(matrix.dtype)
                else:
                    matrix.copy_(part.view(matrix.shape))


def _leaves(matrices: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: m.detach().clone().requires_grad_() for name, m in matrices.items()}
