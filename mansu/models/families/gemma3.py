"""Gemma 3: Gemma 2's norms, norms on q and k, no soft caps; from 4B up it also reads images."""

from dataclasses import replace

from mansu.models.families.gemma2 import FAMILY as GEMMA2

FAMILY = replace(GEMMA2, name="Gemma 3", model_types=("gemma3_text", "gemma3"))
