"""LLM.int8() as bitsandbytes stores it: one scale a row, of the weight in float16.

The deployed layer also rounds its inputs to 8 bits; what is simulated are the weights.
"""

import bitsandbytes.functional as bnb
import torch
from torch import Tensor

from mansu.quant.formats.base import weightwise


def change(weight: Tensor) -> Tensor:
    """A weight in 8 bits and back."""
    codes, scales, _ = bnb.int8_vectorwise_quant(weight.to(torch.float16))
    return bnb.int8_vectorwise_dequant(codes, scales).to(weight.dtype)


FORMAT = weightwise("int8", "INT8", change, "#56b4e9")
