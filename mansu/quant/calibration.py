"""What a calibrated format reads before it rounds: rows of tokens cut from a text. [O]

The text is the utility text unless another is given; calibrating on the forget set is an attack
(:mod:`mansu.attacks.calibrate`).
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from mansu.data.encoding import token_ids
from mansu.data.text import utility_text
from mansu.errors import InputError
from mansu.models.language_model import LanguageModel
from mansu.models.swap import swapped
from mansu.quant.codebook import require_finite
from mansu.quant.formats.base import Format

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

LENGTH, ROWS = 64, 32  # tokens a row; rows at most
FEWEST = 2  # rows below which nothing is calibrated

# The model and the rows, ``[rows, LENGTH]``, to weights by name: what deployment computes with.
Change = Callable[[LanguageModel, Tensor], Mapping[str, Tensor]]


def calibrated(name: str, title: str, change: Change, colour: str, **more: Any) -> Format:
    """A format that looks at what the model computes on a text before it rounds its weights.

    The last result is kept in memory, because a state is entered once for every measurement: twice
    the weights are held, and thrice while the library works.

    Args:
        name: See :class:`Format`.
        title: See :class:`Format`.
        change: The model and the rows to the weights that differ.
        colour: See :class:`Format`.
        more: Further attributes of the :class:`Format`.
    """
    last: dict[str, Mapping[str, Tensor]] = {}

    @contextmanager
    def deploy(model: LanguageModel, calibration: str | None = None) -> Iterator[LanguageModel]:
        linear = model.family.linear_weight_names(model.module)
        for place in linear:
            require_finite(model.module.get_parameter(place).data, f"cannot be stored as {title}")
        rows = cut_rows(model.tokenizer, calibration)
        key = _digest(model, rows)
        if key not in last:
            found = change(model, rows.to(model.device))
            last.clear()
            last[key] = found
        with swapped(model.module, last[key]):
            yield model

    return Format(name, title, deploy, colour, calibrated=True, **more)


def cut_rows(tokenizer: "PreTrainedTokenizerBase", text: str | None = None) -> Tensor:
    """The first tokens of a text in rows, int64, ``[rows, LENGTH]``; at most ``ROWS`` of them.

    Args:
        tokenizer: The model's.
        text: The text; None takes the utility text.

    Raises:
        InputError: The text is too short.
    """
    tokens = token_ids(tokenizer, utility_text() if text is None else text)
    rows = min(ROWS, len(tokens) // LENGTH)
    if rows < FEWEST:
        whose = "the utility text" if text is None else "the forget set's text"
        raise InputError(
            f"calibration: {whose} gives {len(tokens):,} tokens, and a calibrated format reads "
            f"{FEWEST * LENGTH} at least; give a longer one, or leave the format out."
        )
    return torch.tensor(tokens[: rows * LENGTH]).view(rows, LENGTH)


def copied(model: LanguageModel) -> Any:
    """The model once more, for a library that works in place."""
    import copy

    return copy.deepcopy(model.module)


def differing(model: LanguageModel, other: Any, names: Sequence[str]) -> dict[str, Tensor]:
    """Those of some weights that are others in another model, in this one's dtype and place."""
    found = {}
    for name in names:
        own = model.module.get_parameter(name).data
        weight = other.get_parameter(name).data.to(own.device, own.dtype)
        if not torch.equal(weight, own):
            found[name] = weight.contiguous()
    return found


def _digest(model: LanguageModel, rows: Tensor) -> str:
    found = hashlib.sha256(rows.numpy().tobytes())
    for name, weight in model.module.named_parameters():
        plain = weight.data.cpu().contiguous().view(-1)
        found.update(f"{name} {tuple(weight.shape)} {weight.dtype}".encode())
        found.update(memoryview(plain.view(torch.uint8).numpy()))  # pyright: ignore
    return found.hexdigest()
