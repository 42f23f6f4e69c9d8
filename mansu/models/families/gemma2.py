"""Gemma 2: norms on both sides of each sublayer, soft-capped attention and logits."""

from mansu.models.families.base import Family

FAMILY = Family(
    name="Gemma 2",
    model_types=("gemma2",),
    attention_post_norm="post_attention_layernorm",
    mlp_norm="pre_feedforward_layernorm",
    mlp_post_norm="post_feedforward_layernorm",
    gain_offset=1,
)
