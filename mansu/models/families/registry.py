"""Finds the family of a model by its configuration."""

from transformers import PretrainedConfig

from mansu.errors import InputError
from mansu.models.families.base import Family
from mansu.models.families.llama import LLAMA

FAMILIES = (LLAMA,)


def family_of(config: PretrainedConfig) -> Family:
    """The adapter for a model configuration.

    Raises:
        InputError: No adapter serves the configuration's ``model_type``.
    """
    for family in FAMILIES:
        if config.model_type in family.model_types:
            return family
    known = ", ".join(sorted(t for family in FAMILIES for t in family.model_types))
    raise InputError(
        f"Architecture '{config.model_type}' is not supported; supported model types: {known}."
    )
