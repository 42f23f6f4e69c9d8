"""NF4 with double quantization: the blocks' scales in 8 bits, as QLoRA stores them."""

from functools import partial

from mansu.quant.codebook import NF4
from mansu.quant.formats.base import weightwise

FORMAT = weightwise("nf4-dq", "NF4 dq", partial(NF4.dequantized, double=True), "#cc79a7")
