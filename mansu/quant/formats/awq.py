"""AWQ in 4 bits: what reads large inputs is scaled up before it is rounded, and what writes them
is scaled down by as much; 32 weights of a row then share a scale and a zero.

llmcompressor's ``AWQModifier`` with its ``QuantizationModifier`` on the calibration text
(:mod:`mansu.quant.calibration`), in an environment of its own (:mod:`mansu.quant.llmcompressor`).
Norms change, too, and so do matrices that another scale has moved into.
"""

from torch import Tensor

from mansu.models.language_model import LanguageModel
from mansu.quant.calibration import calibrated, differing
from mansu.quant.llmcompressor import GROUP, INSTALL, compress, four_bits


def change(model: LanguageModel, rows: Tensor) -> dict[str, Tensor]:
    """The weights that AWQ scales, and the linear ones in 4 bits and back."""
    from compressed_tensors.quantization import fake_quantize  # pyright: ignore
    from llmcompressor.modifiers.quantization import QuantizationModifier  # pyright: ignore
    from llmcompressor.modifiers.transform.awq import AWQModifier  # pyright: ignore

    scheme = four_bits(symmetric=False)
    rounding = QuantizationModifier(config_groups={"all": scheme}, ignore=["lm_head"])
    module = compress(model, rows, [AWQModifier(), rounding])
    for name in model.family.linear_weight_names(model.module):
        layer = module.get_submodule(name.removesuffix(".weight"))
        layer.weight.data = fake_quantize(
            layer.weight.data, layer.weight_scale, layer.weight_zero_point, scheme.weights
        )
    names = [name for name, _ in model.module.named_parameters()]
    return differing(model, module, names)


FORMAT = calibrated(
    "awq",
    "AWQ",
    change,
    "#56b4e9",
    libraries=("llmcompressor", "compressed_tensors"),
    group=GROUP,
    install=INSTALL,
    rescales=True,
)
