"""bfloat16 storage: every linear weight rounded to 8 bits of mantissa."""

import torch
from gguf import GGMLQuantizationType

from mansu.quant.formats.base import weightwise

FORMAT = weightwise(
    "bf16",
    "BF16",
    lambda weight: weight.to(torch.bfloat16).to(weight.dtype),
    "#44aa99",
    storage=lambda name, row, layers: GGMLQuantizationType.BF16,
)
