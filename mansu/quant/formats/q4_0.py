"""llama.cpp's Q4_0: 32 weights of a row share one scale."""

from gguf import GGMLQuantizationType

from mansu.quant.ggml import ggml

FORMAT = ggml(
    "q4_0", "Q4_0", lambda name, row, layers: GGMLQuantizationType.Q4_0, "#009e73", group=32
)
