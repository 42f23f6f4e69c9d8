"""llama.cpp's Q4_K_M: Q4_K, and Q6_K for some of the matrices that tell most.

Which matrix gets which type is what `llama-quantize` decides (`src/llama-quant.cpp`); its exception
for models of 80 layers, whose values get Q5_K, is left out.
"""

from gguf import GGML_QUANT_SIZES
from gguf import GGMLQuantizationType as Kind

from mansu.models.names import layer_of, projection_of
from mansu.quant.ggml import ggml

# What a row that is no whole block becomes instead.
_NARROW = {Kind.Q4_K: Kind.Q5_0, Kind.Q6_K: Kind.Q8_0, Kind.Q5_0: Kind.F16, Kind.Q8_0: Kind.F16}


def storage(name: str, row: int, layers: int) -> Kind:
    """The type of a decoder's matrix."""
    finer = projection_of(name) in ("v_proj", "down_proj") and _is_decisive(layer_of(name), layers)
    kind = Kind.Q6_K if finer else Kind.Q4_K
    while row % GGML_QUANT_SIZES[kind][0]:
        kind = _NARROW[kind]
    return kind


def _is_decisive(layer: int, layers: int) -> bool:
    """Whether a layer is among the first or the last eighth, or a third one between."""
    first, last = layers // 8, 7 * layers // 8
    return not first <= layer < last or (layer - first) % 3 == 2


FORMAT = ggml("q4_k_m", "Q4_K_M", storage, "#332288", libraries=("gguf", "libgguf"))
