"""llama.cpp's Q8_0: 8 bits, 32 weights of a row share one scale."""

from gguf import GGMLQuantizationType

from mansu.quant.ggml import ggml

FORMAT = ggml(
    "q8_0", "Q8_0", lambda name, row, layers: GGMLQuantizationType.Q8_0, "#117733", group=32
)
