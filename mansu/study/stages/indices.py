"""Flat indices as they are stored: as short as they can be."""

import torch

_LARGEST = torch.iinfo(torch.int32).max


def shorten(index: torch.Tensor) -> torch.Tensor:
    """An ascending index as it is stored: 0, 1, … n-1 as the number n alone, others in 32 bits."""
    if not index.numel():
        return index
    last = int(index[-1])
    if last == index.numel() - 1:
        return torch.tensor(last + 1)
    return index.to(torch.int32) if last <= _LARGEST else index


def lengthen(stored: torch.Tensor) -> torch.Tensor:
    """The index that :func:`shorten` was given, int64."""
    return stored.long() if stored.ndim else torch.arange(int(stored))
