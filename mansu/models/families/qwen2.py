"""Qwen2 and Qwen2.5: Llama with biases on q, k and v."""

from mansu.models.families.base import Family

FAMILY = Family(name="Qwen 2", model_types=("qwen2",))
