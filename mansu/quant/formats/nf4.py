"""NF4 as bitsandbytes defines it: blocks of 64, no double quantization [P]."""

from mansu.quant.formats.base import weightwise
from mansu.quant.nf4 import dequantized

FORMAT = weightwise("nf4", "NF4", dequantized, colour="#d55e00")
