"""What llmcompressor's formats share: its one call, on the calibration rows.

Its releases pin an older transformers than the newest that the project runs with, so that it wants
an environment of its own; the project runs in that as it does elsewhere.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from mansu.models.language_model import LanguageModel
from mansu.quant.calibration import LENGTH, copied

GROUP = 32
INSTALL = (
    "in an environment of its own, install the project with: "
    "pip install . 'llmcompressor>=0.14,<0.15'"
)


def four_bits(symmetric: bool) -> Any:
    """The scheme: every linear weight in 4 bits, a scale for each ``GROUP`` of a row."""
    from compressed_tensors.quantization import (  # pyright: ignore
        QuantizationArgs,
        QuantizationScheme,
    )

    weights = QuantizationArgs(num_bits=4, symmetric=symmetric, strategy="group", group_size=GROUP)
    return QuantizationScheme(targets=["Linear"], weights=weights)


def compress(model: LanguageModel, rows: Tensor, recipe: Sequence[Any]) -> Any:
    """A copy of the model that the library worked on.

    Args:
        model: The model.
        rows: What it reads, ``[rows, LENGTH]``.
        recipe: The library's modifiers.
    """
    from datasets import Dataset
    from llmcompressor import oneshot  # pyright: ignore
    from loguru import logger  # pyright: ignore

    for name in ("llmcompressor", "compressed_tensors"):
        logger.disable(name)  # they tell of every layer
    module, tokens = copied(model), rows.tolist()
    texts = {"input_ids": tokens, "attention_mask": [[1] * LENGTH] * len(tokens)}
    # Its own generator state, so that deploying changes nothing for the caller.
    with torch.random.fork_rng(devices=[]), _unpinned():
        oneshot(
            model=module,
            dataset=Dataset.from_dict(texts),
            recipe=list(recipe),
            max_seq_length=LENGTH,
            num_calibration_samples=len(tokens),
            shuffle_calibration_samples=False,
        )
    return module


@contextmanager
def _unpinned() -> Iterator[None]:
    """Without an accelerator nothing waits in pinned memory: the library (0.14) asks for it."""
    from llmcompressor.pipelines.cache import IntermediatesCache  # pyright: ignore

    if torch.accelerator.is_available():
        yield
        return
    was = IntermediatesCache.pin_memory
    IntermediatesCache.pin_memory = lambda *_args, **_more: None
    try:
        yield
    finally:
        IntermediatesCache.pin_memory = was
