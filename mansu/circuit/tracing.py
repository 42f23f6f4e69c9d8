"""A window on a model's decoder through nnsight that leaves the model as it was.

nnsight replaces the ``forward`` of every module it wraps and leaves its replacement in place.
Here the wrapping ends with the ``with`` block, also after an error. The decoder itself is wrapped,
not the whole causal model: no logits over the vocabulary are computed, and the tokenizer, whose
padding side nnsight's model classes change, stays out of it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from nnsight import NNsight

from mansu.models import LanguageModel

_MISSING = object()
_PLACES = ("forward", "__nnsight__")  # what nnsight writes into a module's instance dictionary


@contextmanager
def opened(model: LanguageModel) -> Iterator[NNsight]:
    """An nnsight view of the model's decoder, gone when the block ends.

    Inside a trace of the view, read modules in execution order and write what shall survive into
    an object made outside.
    """
    modules = list(model.module.modules())
    before = [[module.__dict__.get(place, _MISSING) for place in _PLACES] for module in modules]
    try:
        yield NNsight(model.module.get_decoder())
    finally:
        for module, values in zip(modules, before, strict=True):
            for place, value in zip(_PLACES, values, strict=True):
                if value is _MISSING:
                    module.__dict__.pop(place, None)
                else:
                    module.__dict__[place] = value
