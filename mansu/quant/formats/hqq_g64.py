"""HQQ in 4 bits: scale and zero of 64 weights of a row, fitted to make outliers count less."""

from torch import Tensor

from mansu.quant.formats.base import weightwise


def change(weight: Tensor) -> Tensor:
    """A weight in 4 bits and back."""
    from hqq.core.quantize import BaseQuantizeConfig, HQQLinear  # pyright: ignore

    settings = BaseQuantizeConfig(nbits=4, group_size=64, axis=1)
    layer = HQQLinear.from_weights(
        weight, None, settings, compute_dtype=weight.dtype, device=str(weight.device)
    )
    return layer.dequantize()


FORMAT = weightwise(
    "hqq-g64", "HQQ g64", change, "#999933", libraries=("hqq", "termcolor"), group=64
)
