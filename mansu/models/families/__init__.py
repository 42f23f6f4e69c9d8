"""One adapter per model family: one file of this folder each."""

from pathlib import Path

from transformers import PretrainedConfig

from mansu.errors import InputError
from mansu.models.families.base import Family as Family
from mansu.registry import load, plugs


def families() -> tuple[Family, ...]:
    """Every family there is."""
    return tuple(map(_family, plugs(__name__)))


def _family(name: str) -> Family:
    return load(__name__, "FAMILY", name)


def family_of(config: PretrainedConfig) -> Family:
    """The adapter for a model configuration (see :func:`family_named`)."""
    return family_named(config.model_type)


def family_file(model_type: str) -> Path:
    """Where the adapter for a ``model_type`` is written."""
    known = plugs(__name__)
    return next(f for n, f in known.items() if model_type in _family(n).model_types)


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
