"""Fits one block's MLP output matrix so that some prompts' activations move and others' stay.

Nothing below the matrix changes, so what enters it at every token is read once, and a step is a
step of a regression: x, what enters; N, the norm behind the MLP where the family has one;

    L = mean over tokens and width of ‖N(W x) - N(W⁰ x) - s‖², s = c·r on forget tokens, else 0.

That is the distance of the block's outputs from their targets, because what stands beside the MLP
in the residual stream cancels. An epoch takes all tokens once, in an order that seed and epoch
decide. Losses are written down, checks made and states saved by the epoch.
"""

import math
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import nn
from torch.func import functional_call

from mansu.errors import RunError
from mansu.models import LanguageModel, pad
from mansu.models.batch import cuts
from mansu.models.names import layer_of
from mansu.models.split import stretch
from mansu.unlearn.checkpoint import StepRecord
from mansu.unlearn.descent import make_latents
from mansu.unlearn.loop import Course, Loop
from mansu.unlearn.mask import all_movable
from mansu.unlearn.task import Task, Update


class Fitting(Course, Protocol):
    """Settings of the fit."""

    @property
    def decay(self) -> float: ...
    @property
    def epochs(self) -> int: ...
    @property
    def batch(self) -> int: ...


def redirect(task: Task, settings: Fitting, shift: torch.Tensor) -> Update:
    """Fits the matrix, from the start or from where a killed training was.

    Args:
        task: The task; its one weight is a block's MLP output matrix.
        settings: Of the fit.
        shift: c·r, ``[width]``.

    Raises:
        RunError: The loss is not finite; the last saved state stays.
    """
    return Fit(task, settings, shift).update()


class Fit(Loop):
    """The regression, a step of which is an epoch; arguments as of :func:`redirect`."""

    def __init__(self, task: Task, settings: Fitting, shift: torch.Tensor) -> None:
        latents = make_latents(task, all_movable(task.weights))
        super().__init__(task, settings, latents, settings.epochs)
        self._settings, self._shift = settings, shift
        ((self._name, self._before),) = task.weights.items()
        model, layer = task.model, layer_of(self._name)
        block = model.family.blocks(model.module)[layer]
        norm = model.family.mlp_post_norm
        self._projection: nn.Module = block.mlp.down_proj  # pyright: ignore
        self._norm = block.get_submodule(norm) if norm else nn.Identity()
        sides = [
            entering(model, layer, [e.tokens[: e.answer_start] for e in examples])
            for examples in (task.forget, task.retain)
        ]
        self._inner = torch.cat(sides)  # [tokens, inner width]
        self._forget = torch.arange(len(self._inner), device=model.device) < len(sides[0])

    @property
    def _batches(self) -> int:
        return -(-len(self._inner) // self._settings.batch)

    def taken(self, step: int) -> int:
        """A step for every batch of an epoch."""
        return step * self._batches

    def loss(self, weight: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """Mean square over the width of some tokens, ``[tokens]``.

        Args:
            weight: The matrix.
            tokens: Which tokens.
        """
        inner, moves = self._inner[tokens], self._forget[tokens]
        with torch.no_grad():
            target = self._leaving(self._before, inner) + moves[:, None] * self._shift
        return (self._leaving(weight, inner) - target).square().mean(1)

    def step(self, step: int, optimizer: torch.optim.Optimizer) -> StepRecord:
        """Takes every token once; returns the mean losses on the way."""
        settings, latents = self._settings, self.latents
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * settings.decay**step
        generator = torch.Generator().manual_seed(self._task.seed * 1_000_003 + step)
        order = torch.randperm(len(self._inner), generator=generator).to(self._inner.device)
        sums = torch.zeros(2, dtype=torch.float64)  # over retain tokens, over forget tokens
        norms = 0.0
        for tokens in order.split(settings.batch):
            each = self.loss(latents.weights["fp"][self._name], tokens)
            gradient = latents.gradient(each.mean(), "fp")
            norm = gradient.norm().item()
            if not math.isfinite(norm):
                raise RunError(
                    f"The loss is not finite in epoch {step + 1}; the last checked state is kept. "
                    "Lower the learning rate."
                )
            latents.values.grad = gradient
            optimizer.step()
            latents.write()
            norms += norm
            side = self._forget[tokens].long().cpu()
            sums.index_add_(0, side, each.detach().double().cpu())
        sizes = self._forget.long().bincount(minlength=2).clamp(min=1).cpu()
        retain, forget = (sums / sizes).tolist()
        return StepRecord(step + 1, forget, retain, norms / self._batches)

    def _leaving(self, weight: torch.Tensor, inner: torch.Tensor) -> torch.Tensor:
        """What the MLP adds to the residual stream, ``[tokens, width]``, float32."""
        return self._norm(functional_call(self._projection, {"weight": weight}, inner)).float()


def entering(model: LanguageModel, layer: int, prompts: Sequence[tuple[int, ...]]) -> torch.Tensor:
    """What enters a block's MLP output matrix at every token of prompts, ``[tokens, inner]``."""
    projection: nn.Module = model.family.blocks(model.module)[layer].mlp.down_proj  # pyright: ignore
    lower, caught, found = stretch(model, range(layer + 1)), [], []
    hook = projection.register_forward_pre_hook(lambda module, given: caught.append(given[0]))
    try:
        for rows in cuts([len(prompt) for prompt in prompts]):
            batch = pad(prompts[rows], model.pad_id, model.device)
            with torch.no_grad():
                lower(**batch.inputs(), use_cache=False)
            found.append(caught.pop()[batch.attention_mask.bool()])
    finally:
        hook.remove()
    return torch.cat(found)
