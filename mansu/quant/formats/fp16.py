"""float16 storage: every linear weight rounded to 11 bits of mantissa."""

import torch
from gguf import GGMLQuantizationType

from mansu.quant.formats.base import weightwise

FORMAT = weightwise(
    "fp16",
    "FP16",
    lambda weight: weight.to(torch.float16).to(weight.dtype),
    "#88ccee",
    storage=lambda name, row, layers: GGMLQuantizationType.F16,
)
