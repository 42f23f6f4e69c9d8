"""Gemma, the first: Llama with (1 + w) norm gains and scaled embeddings."""

from mansu.models.families.base import Family

FAMILY = Family(name="Gemma", model_types=("gemma",), gain_offset=1)
