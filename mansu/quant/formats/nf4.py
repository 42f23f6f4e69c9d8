"""NF4 as bitsandbytes defines it: blocks of 64, no double quantization [P]."""

from mansu.quant.codebook import NF4
from mansu.quant.formats.base import blockwise

FORMAT = blockwise(NF4, "NF4", colour="#d55e00")
