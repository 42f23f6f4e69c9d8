"""How many decoder blocks a model has, without any library that computes."""

import json

from mansu.models.recipes import TINY, shape_of
from mansu.paths import expand


def count_layers(name: str) -> int:
    """The number of decoder blocks, as the model's configuration declares it.

    Args:
        name: See :func:`mansu.models.loading.find_model`.

    Raises:
        InputError: There is no such model, or its configuration is not one.
    """
    if name in TINY:
        return shape_of(name)["num_hidden_layers"]
    try:
        declared = json.loads((expand(name) / "config.json").read_text(encoding="utf-8"))
        return int(declared.get("text_config", declared)["num_hidden_layers"])
    except (OSError, ValueError, TypeError, LookupError, AttributeError):
        from mansu.models.folder import read_config
        from mansu.models.loading import find_model

        return read_config(find_model(name, weights=False)).get_text_config().num_hidden_layers
