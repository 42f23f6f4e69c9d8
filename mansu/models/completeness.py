"""Whether a model's folder holds the weights that its configuration asks for, in such shapes.

Told from the files' headers alone, by what transformers itself makes of their names and shapes, so
that whatever it would rename, tie or leave out counts as it does when the model is loaded.
"""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.utils.logging import get_verbosity, set_verbosity

from mansu.errors import InputError, enumerate_some, first_line
from mansu.models.families.base import decoder_name
from mansu.models.folder import INDEX, read_config, weight_files


def require_weights(folder: Path) -> None:
    """Refuses a folder whose weights are not all there or do not fit; no weight is read.

    Raises:
        InputError: They are missing, in whole or in part, damaged, or other ones or of other
            shapes than ``config.json`` says.
    """
    files = weight_files(folder)
    if not files:
        raise InputError(
            f"{folder} has no model.safetensors, nor an index of its parts; save the model as "
            "safetensors."
        )
    lost = [path.name for path in files if not path.is_file()]
    if lost:
        raise InputError(
            f"{folder} lacks {enumerate_some(lost)}, which {INDEX} names; fetch the model again."
        )
    found = [(path, path.stat()) for path in (folder / "config.json", *files) if path.is_file()]
    _require_fit(folder, tuple((path, s.st_size, s.st_mtime_ns) for path, s in found))


@lru_cache(maxsize=8)  # a study opens many runs on the same model
def _require_fit(folder: Path, _files: tuple[tuple[Path, int, int], ...]) -> None:
    config = read_config(folder)
    try:
        with torch.device("meta"):
            kind = type(AutoModelForCausalLM.from_config(config, trust_remote_code=False))
        with _quiet():
            model, found = kind.from_pretrained(
                None,
                config=config,
                state_dict=_stored(folder),
                device_map="meta",
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # which are told below
            )
    except Exception as error:  # whatever an architecture raises on weights that do not fit it
        raise InputError(
            f"The model in {folder} is damaged or incomplete ({first_line(error)}); fetch or save "
            "it again."
        ) from error
    wrong = [f"{name} is missing" for name in sorted(found["missing_keys"])]
    for name, stored, asked in sorted(found["mismatched_keys"]):
        wrong.append(f"{name} is {tuple(stored)} and not {tuple(asked)}")
    for name in sorted(filter(_in_blocks(model), found["unexpected_keys"])):
        wrong.append(f"{name} is stored, and the model has none of that name")
    if wrong:
        raise InputError(
            f"The weights in {folder} do not fit its config.json: {enumerate_some(wrong, 2)}; put "
            "a whole copy there, weights and config.json of one model."
        )


def _in_blocks(model: PreTrainedModel) -> Callable[[str], bool]:
    """Tells of a name that is not loaded whether a decoder block would compute with it.

    A block more, a bias or an adapter makes another model than the one that is measured. Buffers of
    old (``rotary_emb.inv_freq``), heads of other tasks and other towers change nothing here, nor do
    blocks that only predict further tokens, which are stored behind the last one.
    """
    settings: Any = model.config.get_text_config()
    last = settings.num_hidden_layers
    further = range(last, last + (getattr(settings, "num_nextn_predict_layers", None) or 0))
    decoder = re.escape(decoder_name(model))
    named = re.compile(rf"(?:{decoder}\.)?layers\.(\d+)\..*\.(weight|bias)")

    def found(name: str) -> bool:
        match = named.fullmatch(name)
        return match is not None and int(match[1]) not in further

    return found


def _stored(folder: Path) -> dict[str, Tensor]:
    """Every stored weight by its name, as a tensor that has a shape and no values."""
    stored = {}
    for path in weight_files(folder):
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 (not a dictionary)
                stored[name] = torch.empty(file.get_slice(name).get_shape(), device="meta")
    return stored


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps back the report that transformers prints of weights that do not fit."""
    before = get_verbosity()
    set_verbosity(logging.CRITICAL)
    try:
        yield
    finally:
        set_verbosity(before)
