"""Low-rank adapters (LoRA, arXiv 2106.09685): small matrices beside frozen weights. [O]

A layer's output gains ``scale · B A x``; B begins at zero, so that the model begins as it is. The
adapters are float32 and are never merged: the weights under them, quantized or not, stay as they
are, and are the model's own again, untouched, once the hooks are gone.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mansu.attacks.base import Progress, Relearning
from mansu.attacks.relearning.lessons import Lesson
from mansu.attacks.relearning.tuning import ATTACK_SEED, teach
from mansu.models import LanguageModel
from mansu.quant.deployed import deployed

RANK, ALPHA = 16, 32
CHECKS = (0, 10, 20, 40, 80)


@dataclass(frozen=True)
class Adapter:
    """What stands beside one weight.

    Attributes:
        down: A, ``[rank, inputs]``.
        up: B, ``[outputs, rank]``.
    """

    down: Tensor
    up: Tensor

    @property
    def dense(self) -> Tensor:
        """What merging would add to the weight, ``[outputs, inputs]``."""
        return self.scale * (self.up @ self.down)

    @property
    def scale(self) -> float:
        """α / r."""
        return ALPHA / len(self.down)

    def beside(self, module: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> Tensor:
        """The layer's output with the adapter's, as a forward hook has it."""
        inner = given[0].to(self.down.dtype) @ self.down.T  # [..., rank]
        return output + (self.scale * (inner @ self.up.T)).to(output.dtype)


@contextmanager
def adapted(
    model: LanguageModel, rank: int = RANK, seed: int = ATTACK_SEED
) -> Iterator[Mapping[str, Adapter]]:
    """The model with an adapter beside every linear weight, for the length of a ``with`` block.

    Args:
        model: The model; its parameters are not touched.
        rank: Of the adapters.
        seed: Of A.
    """
    draw = torch.Generator().manual_seed(seed)
    adapters, hooks = {}, []
    try:
        for name in model.family.linear_weight_names(model.module):
            outputs, inputs = model.module.get_parameter(name).shape
            bound = inputs**-0.5
            down = (torch.rand(rank, inputs, generator=draw) * 2 - 1) * bound
            pair = (down.to(model.device), torch.zeros(outputs, rank, device=model.device))
            adapters[name] = Adapter(*(matrix.requires_grad_() for matrix in pair))
            layer = model.module.get_submodule(name.removesuffix(".weight"))
            hooks.append(layer.register_forward_hook(adapters[name].beside))
        yield adapters
    finally:
        for hook in hooks:
            hook.remove()


def relearn_adapted(
    model: LanguageModel,
    lesson: Lesson,
    rate: float,
    form: str = "fp",
    steps: tuple[int, ...] = CHECKS,
    progress: Progress | None = None,
) -> Relearning:
    """Fine-tunes adapters of the deployed model on T and scores V along the way.

    The same protocol as :func:`mansu.attacks.relearning.tuning.relearn`; the model stays deployed
    under its adapters, so what was trained is what is deployed.

    Args:
        model: The model before deployment.
        lesson: What is taught and asked.
        rate: AdamW's learning rate.
        form: The format it is deployed in.
        steps: After how many steps to score.
        progress: Called with (steps done, steps at most).

    Raises:
        RunError: A loss or a logit is not finite.
    """
    with deployed(model, form), adapted(model) as adapters:
        matrices = [m for adapter in adapters.values() for m in (adapter.down, adapter.up)]
        optimizer = torch.optim.AdamW(matrices, rate, weight_decay=0.0)

        def update() -> None:
            optimizer.step()
            optimizer.zero_grad()

        return teach(model, lesson, rate, lambda trained: trained, update, steps, progress=progress)
