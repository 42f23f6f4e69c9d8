"""The last retain gradients, and their inner products in Adam's own metric."""

from collections.abc import Iterator, Mapping, Sequence

import torch

# Weights worked on at a time: temporaries of all rows stay in a processor's cache, which makes the
# products four times faster, and do not grow with the model.
CHUNK = 1 << 16


class History:
    """The last few retain gradients, first in first out, in bfloat16: each has a model's size.

    Args:
        size: How many are kept.

    Attributes:
        rows: The gradients, the oldest first, each ``[movable]``.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self.rows: list[torch.Tensor] = []

    def add(self, gradient: torch.Tensor) -> None:
        """Takes one in; of too many, the oldest goes."""
        self.rows.append(gradient.to(torch.bfloat16))
        self.rows = self.rows[max(0, len(self.rows) - self._size) :]

    def remembered(self) -> dict[str, torch.Tensor]:
        """The gradients by their place, as they are stored with a training's state."""
        return {f"history {place:03}": row for place, row in enumerate(self.rows)}

    def resume(self, beside: Mapping[str, torch.Tensor]) -> None:
        """Takes what was remembered."""
        self.rows = [beside[name] for name in sorted(beside) if name.startswith("history ")]


class Metric:
    """P = 1/(√v̂ + ε), by which Adam scales a gradient; 1 before its first step.

    Args:
        optimizer: An Adam of one parameter.
    """

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        (group,) = optimizer.param_groups
        state = optimizer.state.get(group["params"][0], {})
        self._epsilon: float = group["eps"]
        self._variance: torch.Tensor | None = state.get("exp_avg_sq")
        if self._variance is not None:
            self._seen = 1 - group["betas"][1] ** float(state["step"])

    def of(self, part: slice, dtype: torch.dtype) -> torch.Tensor:
        """P of some weights, ``[part]`` (or one number for all)."""
        if self._variance is None:
            return torch.ones(1, dtype=dtype)
        return 1 / ((self._variance[part].to(dtype) / self._seen).sqrt_() + self._epsilon)


def chunks(count: int) -> Iterator[slice]:
    """Slices that cover so many weights."""
    for start in range(0, count, CHUNK):
        yield slice(start, min(start + CHUNK, count))


def products(rows: Sequence[torch.Tensor], metric: Metric, dtype: torch.dtype) -> torch.Tensor:
    """Inner products ⟨r_i, P r_j⟩ of some gradients, float64, ``[rows, rows]``.

    Args:
        rows: The gradients, each ``[movable]``.
        metric: P.
        dtype: What a chunk is multiplied in; chunks are summed in float64.
    """
    total = torch.zeros(len(rows), len(rows), dtype=torch.float64, device=rows[0].device)
    for part in chunks(rows[0].numel()):
        piece = torch.stack([row[part].to(dtype) for row in rows])  # [rows, part]
        scale = metric.of(part, dtype).to(piece.device)
        total += ((piece * scale) @ piece.T).double()
    return (total + total.T) / 2
