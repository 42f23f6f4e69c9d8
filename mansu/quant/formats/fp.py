"""Full precision: the model as it is held."""

from contextlib import nullcontext

from gguf import GGMLQuantizationType

from mansu.quant.formats.base import Format

FORMAT = Format(
    "fp",
    "full precision",
    nullcontext,
    "#0072b2",
    storage=lambda name, row, layers: GGMLQuantizationType.F32,
)
