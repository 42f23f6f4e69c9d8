"""AutoRound in 4 bits: 32 weights of a row share a scale, and whether a weight is rounded up or
down, and where its range ends, is learnt block by block by signed gradient steps.

Learnt on the calibration text (:mod:`mansu.quant.calibration`), ``ITERATIONS`` steps a block; the
library's own default is 200. torch.compile is off: it takes longer than these steps do.
"""

from torch import Tensor

from mansu.models.language_model import LanguageModel
from mansu.quant.calibration import LENGTH, calibrated, copied, differing

ITERATIONS, GROUP, BATCH, SEED = 20, 32, 8, 42


def change(model: LanguageModel, rows: Tensor) -> dict[str, Tensor]:
    """The linear weights in 4 bits and back."""
    import logging

    import torch
    from auto_round import AutoRound  # pyright: ignore

    logging.getLogger("autoround").setLevel(logging.ERROR)  # it tells of every block
    module = copied(model)
    # Its own generator state, so that deploying changes nothing for the caller.
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        AutoRound(
            module,
            model.tokenizer,
            scheme="W4A16",
            group_size=GROUP,
            dataset=[row[None] for row in rows],
            iters=ITERATIONS,
            seqlen=LENGTH,
            nsamples=len(rows),
            batch_size=min(BATCH, len(rows)),
            device_map=str(model.device),
            enable_torch_compile=False,
            amp=False,
            seed=SEED,
        ).quantize()
    return differing(model, module, model.family.linear_weight_names(model.module))


FORMAT = calibrated(
    "autoround", "AutoRound", change, "#117733", libraries=("auto_round",), group=GROUP
)
