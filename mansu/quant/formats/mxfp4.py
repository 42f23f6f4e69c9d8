"""MXFP4 as torchao computes it: FP4, and 32 weights of a row share one power of two."""

import torch
from torch import Tensor

from mansu.quant.formats.base import weightwise


def change(weight: Tensor) -> Tensor:
    """A weight in 4 bits and back."""
    from torchao.prototype.mx_formats.mx_tensor import MXTensor  # pyright: ignore

    # It takes no float16.
    stored = MXTensor.to_mx(weight.float(), torch.float4_e2m1fn_x2, 32)
    return stored.dequantize(torch.float32).to(weight.dtype)


FORMAT = weightwise("mxfp4", "MXFP4", change, "#661100", libraries=("torchao",), group=32)
