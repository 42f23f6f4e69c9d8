"""Other weights swapped into a model for a while, instead of a second model."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def swapped(module: nn.Module, weights: Mapping[str, torch.Tensor]) -> Iterator[None]:
    """Runs the body with the given weights in the model, then puts its own back.

    Only pointers move: nothing is copied, and the originals come back bit for bit, also after an
    exception.
    """
    parameters = {name: module.get_parameter(name) for name in weights}
    originals = {name: parameter.data for name, parameter in parameters.items()}
    try:
        for name, parameter in parameters.items():
            parameter.data = weights[name].detach().to(parameter.device, parameter.dtype)
        yield
    finally:
        for name, parameter in parameters.items():
            parameter.data = originals[name]
