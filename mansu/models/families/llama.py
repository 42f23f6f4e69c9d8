"""Llama 2 and 3, and what shares their architecture (SmolLM2, tiny-llama)."""

from mansu.models.families.base import Family

FAMILY = Family(name="Llama", model_types=("llama",))
