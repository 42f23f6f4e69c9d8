"""NF4 in blocks of 128 weights: half as many scales."""

from functools import partial

from mansu.quant.codebook import NF4
from mansu.quant.formats.base import weightwise

FORMAT = weightwise("nf4-b128", "NF4 b128", partial(NF4.dequantized, block=128), "#882255")
