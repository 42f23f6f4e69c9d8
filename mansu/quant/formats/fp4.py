"""FP4 as bitsandbytes defines it: a sign, two bits of exponent, one of fraction; blocks of 64."""

from mansu.quant.codebook import FP4
from mansu.quant.formats.base import blockwise

FORMAT = blockwise(FP4, "FP4", colour="#e69f00")
