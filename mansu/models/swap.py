"""Other weights swapped into a model for a while, instead of a second model.

:func:`swapped` puts given weights in; :func:`replaced` makes each from the weight it replaces, and
on an accelerator lets the originals wait in host memory meanwhile.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
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


@contextmanager
def replaced(
    module: nn.Module, names: Sequence[str], make: Callable[[str, torch.Tensor], torch.Tensor]
) -> Iterator[None]:
    """Runs the body with every named weight replaced by what ``make`` turns name and weight into.

    One weight after the other, so that a device holds one weight twice and never all of them; the
    originals come back bit for bit and in their own storage, also after an exception. ``make`` may
    give a weight back as it is.
    """
    originals: dict[str, _Parked] = {}
    try:
        for name in names:
            parameter = module.get_parameter(name)
            other = make(name, parameter.data)
            if other.data_ptr() == parameter.data.data_ptr():
                continue  # it is stored as it is, and parking it would empty it
            originals[name] = _Parked(parameter.data)
            parameter.data = other
        yield
    finally:
        for name, original in originals.items():
            module.get_parameter(name).data = original.restore()


class _Parked:
    """A tensor whose values wait in host memory; on a CPU they are there already.

    On an accelerator its storage is emptied in place, so that the memory is free even where
    others hold the tensor; they must not read it until it is restored.
    """

    def __init__(self, tensor: torch.Tensor) -> None:
        self._tensor = tensor
        self._values = None if _in_host_memory(tensor) else tensor.to("cpu", copy=True)
        if self._values is not None:
            self._size = tensor.untyped_storage().nbytes()
            tensor.untyped_storage().resize_(0)

    def restore(self) -> torch.Tensor:
        if self._values is not None:
            self._tensor.untyped_storage().resize_(self._size)
            self._tensor.copy_(self._values)
        return self._tensor


def _in_host_memory(tensor: torch.Tensor) -> bool:
    return tensor.device.type == "cpu"
