"""Times the floors over a circuit against bitsandbytes' own quantize + dequantize.

Eight layers of SmolLM2-135M's shape, float32, in one process. Prints a table; asserts nothing.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from mansu.quant.codebook import NF4
from mansu.unlearn.floor import FloorKind, apply_floor

LAYERS, HIDDEN, INNER = 8, 576, 1536
SHAPES = ((INNER, HIDDEN), (INNER, HIDDEN), (HIDDEN, INNER)) * LAYERS
KINDS: tuple[FloorKind, ...] = ("boundary", "in_loop", "paper")


def best(works: dict[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """Shortest wall time of each work in seconds; they take turns, so that load hits all alike."""
    times: dict[str, list[float]] = {label: [] for label in works}
    for _ in range(rounds):
        for label, work in works.items():
            start = time.perf_counter()
            work()
            times[label].append(time.perf_counter() - start)
    return {label: min(taken) for label, taken in times.items()}


def updates(weights: list[Tensor], share: float, generator: torch.Generator) -> list[Tensor]:
    """Weights with a small random update on a share of them."""
    result = []
    for weight in weights:
        delta = torch.randn(weight.shape, generator=generator) * 1e-4
        chosen = torch.rand(weight.shape, generator=generator) < share
        result.append(weight + delta * chosen)
    return result


def main() -> None:
    """Prints milliseconds and the ratio to bitsandbytes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    generator = torch.Generator().manual_seed(0)
    weights = [torch.randn(shape, generator=generator) * 0.02 for shape in SHAPES]

    def library() -> None:
        for weight in weights:
            NF4.dequantize(NF4.quantize(weight))

    def floor(kind: FloorKind, trained: list[Tensor]) -> None:
        for weight, update in zip(weights, trained, strict=True):
            apply_floor(kind, weight, update, NF4)

    works: dict[str, Callable[[], None]] = {"bitsandbytes quantize+dequantize": library}
    for share, label in ((1.0, "every weight"), (0.03, "3 % of weights")):
        trained = updates(weights, share, generator)
        for kind in KINDS:
            works[f"{kind}, {label} updated"] = partial(floor, kind, trained)
    times = best(works, options.rounds)

    bare = times["bitsandbytes quantize+dequantize"]
    count = sum(weight.numel() for weight in weights)
    print(f"{len(weights)} matrices, {count / 1e6:.1f} M weights, {options.threads} threads")
    print(f"{'work':<34}{'ms':>8}{'ratio':>8}")
    for label, taken in times.items():
        print(f"{label:<34}{taken * 1e3:>8.0f}{taken / bare:>8.2f}")


if __name__ == "__main__":
    main()
