"""GPTQ in 4 bits: 32 weights of a row share a scale, and the error of each rounded weight is
spread over those not rounded yet, by the second moments of what the layer reads.

llmcompressor's ``GPTQModifier``, symmetric, on the calibration text
(:mod:`mansu.quant.calibration`), in an environment of its own (:mod:`mansu.quant.llmcompressor`).
"""

from torch import Tensor

from mansu.models.language_model import LanguageModel
from mansu.quant.calibration import calibrated, differing
from mansu.quant.llmcompressor import GROUP, INSTALL, compress, four_bits


def change(model: LanguageModel, rows: Tensor) -> dict[str, Tensor]:
    """The linear weights in 4 bits and back."""
    from llmcompressor.modifiers.gptq import GPTQModifier  # pyright: ignore

    scheme = {"all": four_bits(symmetric=True)}
    recipe = [GPTQModifier(config_groups=scheme, ignore=["lm_head"])]
    names = model.family.linear_weight_names(model.module)
    return differing(model, compress(model, rows, recipe), names)


FORMAT = calibrated(
    "gptq", "GPTQ", change, "#0072b2", libraries=("llmcompressor",), group=GROUP, install=INSTALL
)
