"""How deep and how wide a model is, without any library that computes."""

import json

from mansu.models.recipes import TINY, shape_of, taught
from mansu.paths import expand


def count_layers(name: str) -> int:
    """The number of decoder blocks, as the model's configuration declares it.

    Args:
        name: See :func:`mansu.models.loading.find_model`.

    Raises:
        InputError: There is no such model, or its configuration is not one.
    """
    return _declared(name, "num_hidden_layers")


def width_of(name: str) -> int:
    """The width of the residual stream; name and refusals as of :func:`count_layers`."""
    return _declared(name, "hidden_size")


def _declared(name: str, size: str) -> int:
    name, _ = taught(name)
    if name in TINY:
        return shape_of(name)[size]
    try:
        declared = json.loads((expand(name) / "config.json").read_text(encoding="utf-8"))
        return int(declared.get("text_config", declared)[size])
    except (
        OSError,
        ValueError,
        OverflowError,
        RecursionError,
        TypeError,
        LookupError,
        AttributeError,
    ):
        from mansu.models.folder import read_config
        from mansu.models.loading import find_model

        return getattr(read_config(find_model(name, weights=False)).get_text_config(), size)
