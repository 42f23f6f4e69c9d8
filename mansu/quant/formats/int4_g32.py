"""torchao's int4 of weights alone: 32 weights of a row share one scale."""

import torch
from torch import Tensor, nn

from mansu.quant.formats.base import weightwise


def change(weight: Tensor) -> Tensor:
    """A weight in 4 bits and back."""
    from torchao.quantization import IntxWeightOnlyConfig, quantize_  # pyright: ignore
    from torchao.quantization.granularity import PerGroup  # pyright: ignore

    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False, device="meta")
    layer.weight = nn.Parameter(weight, requires_grad=False)
    four_bits = torch.int4  # pyright: ignore
    quantize_(layer, IntxWeightOnlyConfig(weight_dtype=four_bits, granularity=PerGroup(32)))
    return layer.weight.dequantize()


FORMAT = weightwise("int4-g32", "INT4 g32", change, "#aa4499", libraries=("torchao",), group=32)
