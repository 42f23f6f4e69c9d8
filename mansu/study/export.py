"""Writes a finished run's unlearned model as a Hugging Face folder, or its 4-bit form."""

from pathlib import Path

import torch

from mansu.errors import InputError, saving
from mansu.models import load_model
from mansu.models.swap import swapped
from mansu.quant.codebook import BLOCK
from mansu.quant.deployed import linear_weights, load_real_4bit
from mansu.quant.formats import find_codebook
from mansu.scratch import replacing
from mansu.study.cache.records import read_result
from mansu.study.check import require_device
from mansu.study.config import make_config
from mansu.study.stages.floor import read_checkpoint
from mansu.study.state import FP


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
        target: The folder to write; it must not exist. It appears only when it is complete.
        form: ``fp`` keeps the training dtype; ``nf4`` and ``fp4`` store 4-bit weights as
            bitsandbytes does.
        model_name: Where the run's model is now; by default where the run found it.
        device: Where the work is done, wherever the run was made.

    Returns:
        In 4 bits, the matrices whose rows do not end with a block. The file holds them exactly, but
        bitsandbytes (0.50) on some CPUs reads their scales wrongly: run them on a GPU.

    Raises:
        InputError: No finished run there, another model than its own, or the target exists.
        RunError: The target cannot be written.
    """
    codebook = None if form == FP else find_codebook(form)
    record = read_result(folder / "config.json")
    if record is None:
        raise InputError(f"{folder} holds no run; give the folder of a finished one.")
    config = make_config(record.tree)
    if target.exists():
        raise InputError(f"{target} exists already; give a folder that does not.")
    require_device(device, here=True)
    place = model_name or config.model
    if not model_name and Path(place).is_absolute() and not Path(place).is_dir():
        raise InputError(
            f"The model of this run lay in {place}, where nothing is now; name its folder with "
            "--model."
        )
    dtype = getattr(torch, config.dtype)
    model = load_model(place, device, dtype)
    checkpoint = read_checkpoint(folder, model)
    if checkpoint is None:
        raise InputError(f"{folder} has no unlearned checkpoint yet; finish the run first.")
    originals = {name: model.module.get_parameter(name).data for name in checkpoint.index}
    with saving(target, "free space, or give another folder"), replacing(target) as finished:
        full = finished if codebook is None else finished.with_name(f"{finished.name}.fp")
        with swapped(model.module, checkpoint.matrices(originals)):
            model.module.save_pretrained(full)
        if codebook is not None:
            load_real_4bit(full, dtype, codebook).save_pretrained(finished)
        model.tokenizer.save_pretrained(finished)
    quantized = linear_weights(model) if codebook else {}
    return tuple(name for name, weight in quantized.items() if weight.shape[1] % BLOCK)
