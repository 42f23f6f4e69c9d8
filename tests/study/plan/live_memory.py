"""Counts the bytes of all live tensors, and their peak."""

import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveMemory(TorchDispatchMode):
    """Watches every tensor that comes out of an operation, until its storage dies.

    What a kernel allocates for itself is not seen. Backward passes on a CPU run in the calling
    thread, so they are.

    Args:
        existing: Tensors that are alive already.

    Attributes:
        now: Bytes of the live storages.
        peak: The highest ``now`` since it was last set.
    """

    def __init__(self, existing: Iterable[torch.Tensor]) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._seen: weakref.WeakSet[Any] = weakref.WeakSet()
        for tensor in existing:
            self._watch(tensor)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                self._watch(leaf)
        return result

    def restart(self) -> int:
        """The peak so far; the next one starts from what is alive now."""
        peak, self.peak = self.peak, self.now
        return peak

    def _watch(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage in self._seen or storage.device.type == "meta":
            return
        self._seen.add(storage)
        size = storage.nbytes()
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._forget, size)

    def _forget(self, size: int) -> None:
        self.now -= size
