"""Qwen3: Llama with norms on q and k, and heads that are not a fraction of the width."""

from mansu.models.families.base import Family

FAMILY = Family(name="Qwen 3", model_types=("qwen3",))
