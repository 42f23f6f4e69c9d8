"""Rows of the weight matrices that a forget set's loss depends on most (SURE's mask)."""

import math
from collections.abc import Mapping, Sequence

import torch

from mansu.models.batch import cuts
from mansu.models.names import layer_of
from mansu.unlearn.latents import Latents
from mansu.unlearn.mask import Movable, all_movable
from mansu.unlearn.said import Objective
from mansu.unlearn.side import Side
from mansu.unlearn.task import Task
from mansu.unlearn.view import View


def salient_rows(task: Task, objective: Objective, percentile: float, examples: int) -> Movable:
    """The rows whose gradient of L_forget is as long as the percentile of all rows', at θ₀.

    Args:
        task: The task.
        objective: Whose forget term it is.
        percentile: Of the rows of all matrices taken together, from 0 to 100.
        examples: Forget examples that the gradient is averaged over, at most.
    """
    gradients = forget_gradient(task, objective, _spread(len(task.forget), examples))
    return choose_rows(gradients, percentile)


def choose_rows(gradients: Mapping[str, torch.Tensor], percentile: float) -> Movable:
    """The weights of the rows whose gradients are that long.

    Args:
        gradients: The matrices' gradients by weight name, each ``[rows, columns]``.
        percentile: From 0 to 100.
    """
    norms = {name: gradient.float().norm(dim=1) for name, gradient in gradients.items()}  # [rows]
    every = torch.cat(list(norms.values())).sort().values
    # The nearest rank: at 90, the longest tenth of all rows and no more, ties aside.
    cut = every[min(len(every) - 1, math.ceil(percentile / 100 * len(every)))]
    index = {}
    for name, gradient in gradients.items():
        rows = (norms[name] >= cut).nonzero()  # [chosen, 1]
        columns = torch.arange(gradient.shape[1], device=rows.device)
        index[name] = (rows * gradient.shape[1] + columns).flatten().cpu()
    return Movable(index, math.inf)


def forget_gradient(
    task: Task, objective: Objective, examples: Sequence[int]
) -> dict[str, torch.Tensor]:
    """The gradient of the mean L_forget of some examples at θ₀, by weight name."""
    latents = Latents(task.weights, all_movable(task.weights))
    lowest = min(map(layer_of, latents.names))
    view = View(task.model, latents.names, lowest, "fp")
    side = Side(view, {i: task.forget[i] for i in examples}, {}, objective)
    total = torch.zeros_like(latents.values)
    for some in cuts([len(task.forget[i].tokens) for i in examples]):
        rows = examples[some]
        asked, _ = side.losses(latents.weights["fp"], rows, ())
        total += latents.gradient(asked * len(rows) / len(examples), "fp")
    parts = latents.update(total).items()
    return {name: part.view(task.weights[name].shape) for name, part in parts}


def _spread(size: int, count: int) -> list[int]:
    """So many of the examples, evenly spread."""
    taken = min(size, count)
    return [i * size // taken for i in range(taken)]
