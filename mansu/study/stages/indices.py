"""Flat indices as they are stored: a matrix that moved whole needs no list of its weights."""

import torch


def shorten(index: torch.Tensor) -> torch.Tensor:
    """An ascending index of 0, 1, … n-1 as the number n alone; any other as it is."""
    count = index.numel()
    return torch.tensor(count) if count and int(index[-1]) == count - 1 else index


def lengthen(stored: torch.Tensor) -> torch.Tensor:
    """The index that :func:`shorten` was given."""
    return stored if stored.ndim else torch.arange(int(stored))
