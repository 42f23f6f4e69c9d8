"""Finds the family of a model by its configuration: one module of this folder a family."""

import importlib
import pkgutil
from functools import cache

from transformers import PretrainedConfig

import mansu.models.families as folder
from mansu.errors import InputError
from mansu.models.families.base import Family


@cache
def families() -> tuple[Family, ...]:
    """Every family there is, by module name."""
    names = sorted(module.name for module in pkgutil.iter_modules(folder.__path__))
    modules = [
        importlib.import_module(f"{folder.__name__}.{name}")
        for name in names
        if name not in ("base", "registry")
    ]
    return tuple(module.FAMILY for module in modules)


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
