"""A decoder cut in two, so that the frozen lower blocks run once per sequence.

Training touches only the circuit's MLPs. Everything below the lowest of them computes the same
residual stream at every step; :func:`split` makes that part a module of its own. Both halves
share the weights of the model they come from.
"""

import copy
from typing import Any

from torch import nn

from mansu.models.language_model import LanguageModel


def split(model: LanguageModel, layer: int) -> tuple[nn.Module, nn.Module]:
    """Cuts the decoder in front of a block.

    Args:
        model: The model to cut.
        layer: Index of the first block of the upper half.

    Returns:
        The lower half (tokens to residual stream, no final norm) and the upper half (residual
        stream, passed as ``inputs_embeds``, to the normalised final hidden state). Block ``i`` of
        the upper half is block ``layer + i`` of the model.
    """
    upper = _slice(model.module.get_decoder(), range(layer, model.layers))
    return stretch(model, range(layer)), upper


def stretch(model: LanguageModel, blocks: range) -> nn.Module:
    """Some blocks in a row: residual stream (``inputs_embeds``) in, residual stream out.

    Its blocks keep their places in a cache of the whole decoder's keys and values.
    """
    part = _slice(model.module.get_decoder(), blocks)
    part.norm = nn.Identity()
    return part


def _slice(decoder: Any, blocks: range) -> Any:
    part = copy.copy(decoder)
    part._modules = dict(decoder._modules)
    part.config = copy.copy(decoder.config)
    part.config.num_hidden_layers = len(blocks)
    layer_types = getattr(decoder.config, "layer_types", None)
    if layer_types is not None:
        part.config.layer_types = [layer_types[i] for i in blocks]
    part.layers = nn.ModuleList(decoder.layers[i] for i in blocks)
    return part
