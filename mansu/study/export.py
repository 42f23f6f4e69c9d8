"""Writes a finished run's unlearned model as a Hugging Face folder, in 4 bits, or as GGUF."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from gguf import GGMLQuantizationType, LlamaFileType
from torch import Tensor

from mansu.errors import InputError, saving
from mansu.models import LanguageModel, load_model
from mansu.models.folder import row_lengths
from mansu.models.gguf_writing import write_gguf
from mansu.models.names import find_layer
from mansu.models.swap import swapped
from mansu.quant.codebook import BLOCK
from mansu.quant.deployed import linear_weights, load_real_4bit
from mansu.quant.formats import find_codebook, find_format, require_format
from mansu.quant.ggml import encode
from mansu.registry import plugs
from mansu.scratch import replacing
from mansu.study.cache.records import read_result
from mansu.study.check import require_device
from mansu.study.config import make_config
from mansu.study.outputs import require_cache, require_file
from mansu.study.stages.floor import read_checkpoint
from mansu.study.state import FORMATS, FP

# How GGUF calls a dtype in which a run is computed.
_KINDS = {
    torch.float32: GGMLQuantizationType.F32,
    torch.float16: GGMLQuantizationType.F16,
    torch.bfloat16: GGMLQuantizationType.BF16,
}


def export_run(
    folder: Path,
    target: Path,
    form: str = FP,
    model_name: str | None = None,
    device: str = "cpu",
) -> tuple[str, ...]:
    """Writes the unlearned model of a run.

    Args:
        folder: The run's folder; its floor stage must be finished.
        target: What to write: a folder, or with the ending ``.gguf`` a file. It must not exist, and
            appears only when it is complete.
        form: ``fp`` keeps the training dtype. A folder can hold ``nf4`` and ``fp4`` as well, 4-bit
            weights as bitsandbytes stores them; a file, every format that llama.cpp has.
        model_name: Where the run's model is now; by default where the run found it.
        device: Where the work is done, wherever the run was made.

    Returns:
        In a folder in 4 bits, the matrices whose rows do not end with a block. It holds them
        exactly, but bitsandbytes (0.50) on some CPUs reads their scales wrongly: run them on a GPU.

    Raises:
        InputError: No finished run there, another model than its own, the target exists, or it
            cannot hold the format.
        RunError: The target cannot be written.
    """
    as_file = target.suffix.lower() == ".gguf"
    _require_holds(form, as_file)
    if target.exists():
        raise InputError(f"{target} exists already; give a path that does not.")
    require_cache()
    require_file(target)  # or a folder, where nothing lies so far
    model, weights = _read_run(folder, model_name, device)
    with (
        saving(target, "free space, or give another path"),
        swapped(model.module, weights),
        replacing(target) as finished,
    ):
        if as_file:
            return _write_file(finished, model, form)
        return _write_folder(finished, model, form)


def _require_holds(form: str, as_file: bool) -> None:
    """Refuses a format that is not stored as a file, or not as a folder."""
    found = find_format(form)
    if form == FP or (found.storage if as_file else found.codebook):
        return
    if found.storage and not as_file:
        raise InputError(f"Format '{form}' is written as a file; end --to with .gguf.")
    formats = {name: find_format(name) for name in plugs(FORMATS)}
    held = [n for n, f in formats.items() if n == FP or (f.storage if as_file else f.codebook)]
    place = "none of GGUF" if as_file else "none that a folder holds"
    raise InputError(f"Format '{form}' is {place}; take {', '.join(held)}.")


def _read_run(
    folder: Path, model_name: str | None, device: str
) -> tuple[LanguageModel, Mapping[str, Tensor]]:
    """A run's original model, and the weights that unlearning gave it."""
    record = read_result(folder / "config.json")
    if record is None:
        raise InputError(f"{folder} holds no run; give the folder of a finished one.")
    config = make_config(record.tree)
    require_device(device, here=True)
    place = model_name or config.model
    if not model_name and Path(place).is_absolute() and not Path(place).exists():
        raise InputError(
            f"The model of this run lay in {place}, where nothing is now; name its folder with "
            "--model."
        )
    model = load_model(place, device, getattr(torch, config.dtype))
    checkpoint = read_checkpoint(folder, model)
    if checkpoint is None:
        raise InputError(
            f"{folder} has no unlearned checkpoint yet; finish the run first (its scorecard says "
            "if the method has no result)."
        )
    originals = {name: model.module.get_parameter(name).data for name in checkpoint.index}
    return model, checkpoint.matrices(originals)


def _write_folder(folder: Path, model: LanguageModel, form: str) -> tuple[str, ...]:
    full = folder if form == FP else folder.with_name(f"{folder.name}.fp")
    model.module.save_pretrained(full)
    if form != FP:
        load_real_4bit(full, model.module.dtype, find_codebook(form)).save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    quantized = {} if form == FP else linear_weights(model)
    return tuple(name for name, weight in quantized.items() if weight.shape[1] % BLOCK)


def _write_file(file: Path, model: LanguageModel, form: str) -> tuple[str, ...]:
    require_format(form, row_lengths(model.config))
    storage = find_format(form).storage
    own = _KINDS[model.module.dtype]

    def store(name: str, weight: Tensor) -> tuple[np.ndarray, GGMLQuantizationType]:
        if weight.ndim == 1:
            kind = GGMLQuantizationType.F32  # llama.cpp knows norms and biases in no other
        elif storage is None or find_layer(name) is None:
            kind = own
        else:
            kind = storage(name, weight.shape[-1], model.layers)
        return encode(weight, kind), kind

    file_type = f"MOSTLY_{form.upper().replace('FP', 'F')}"
    write_gguf(file, model, store, LlamaFileType.__members__.get(file_type, LlamaFileType.ALL_F32))
    return ()
