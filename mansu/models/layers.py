"""How many decoder blocks a model has, without any library that computes."""

import json
from pathlib import Path


def count_layers(name: str) -> int:
    """The number of decoder blocks, as the model's configuration declares it.

    Args:
        name: See :func:`mansu.models.loading.find_model`.

    Raises:
        InputError: There is no such model, or its configuration is not one.
    """
    from mansu.models.recipes import TINY, shape_of

    if name in TINY:
        return shape_of(name)["num_hidden_layers"]
    if not Path(name).is_dir():
        from mansu.models.loading import find_model, read_config

        return read_config(find_model(name, weights=False)).get_text_config().num_hidden_layers
    try:
        declared = json.loads((Path(name) / "config.json").read_text(encoding="utf-8"))
        return int(declared.get("text_config", declared)["num_hidden_layers"])
    except (OSError, ValueError, TypeError, LookupError, AttributeError):
        from mansu.models.loading import read_config

        return read_config(Path(name)).get_text_config().num_hidden_layers
