"""One adapter per model family: one file of this folder each."""

from transformers import PretrainedConfig

from mansu.errors import InputError
from mansu.models.families.base import Family as Family
from mansu.registry import load, plugs


def families() -> tuple[Family, ...]:
    """Every family there is."""
    return tuple(load(__name__, "FAMILY", name) for name in plugs(__name__))


def family_of(config: PretrainedConfig) -> Family:
    """The adapter for a model configuration (see :func:`family_named`)."""
    return family_named(config.model_type)


def family_named(model_type: str) -> Family:
    """The adapter for a ``model_type``.

    Raises:
        InputError: No adapter serves it.
    """
    for family in families():
        if model_type in family.model_types:
            return family
    known = ", ".join(sorted(t for family in families() for t in family.model_types))
    raise InputError(
        f"Architecture '{model_type}' is not supported; supported model types: {known}."
    )
