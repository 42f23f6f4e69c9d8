"""The configurations of the paper's models, as published, and how the tests shrink them.

The paper's "Qwen-2.5-4B" was never published; Qwen2.5-3B, the nearest size, stands for it.
"Gemma-2B" is the first Gemma; Gemma 2 is there beside it, for its soft caps.
"""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig, PreTrainedTokenizerBase

LLAMA_3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
GEMMA_3_ROPE = {"rope_type": "default", "rope_theta": 10000.0}

# model type, what differs from its class's defaults
REAL: dict[str, tuple[str, dict[str, Any]]] = {
    "Llama-3.1-8B-Instruct": (
        "llama",
        {
            "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
            "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128,
            "vocab_size": 128256, "rms_norm_eps": 1e-5, "tie_word_embeddings": False,
            "max_position_embeddings": 131072, "rope_parameters": LLAMA_3_ROPE | {"factor": 8.0},
        },
    ),
    "Llama-3.2-3B": (
        "llama",
        {
            "hidden_size": 3072, "intermediate_size": 8192, "num_hidden_layers": 28,
            "num_attention_heads": 24, "num_key_value_heads": 8, "head_dim": 128,
            "vocab_size": 128256, "rms_norm_eps": 1e-5, "tie_word_embeddings": True,
            "max_position_embeddings": 131072, "rope_parameters": LLAMA_3_ROPE | {"factor": 32.0},
        },
    ),
    "Qwen3-8B": (
        "qwen3",
        {
            "hidden_size": 4096, "intermediate_size": 12288, "num_hidden_layers": 36,
            "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128,
            "vocab_size": 151936, "tie_word_embeddings": False,
            "max_position_embeddings": 40960,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e6},
        },
    ),
    "Qwen3-4B": (
        "qwen3",
        {
            "hidden_size": 2560, "intermediate_size": 9728, "num_hidden_layers": 36,
            "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128,
            "vocab_size": 151936, "tie_word_embeddings": True,
            "max_position_embeddings": 40960,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e6},
        },
    ),
    "Qwen2.5-3B": (
        "qwen2",
        {
            "hidden_size": 2048, "intermediate_size": 11008, "num_hidden_layers": 36,
            "num_attention_heads": 16, "num_key_value_heads": 2, "vocab_size": 151936,
            "tie_word_embeddings": True, "max_position_embeddings": 32768,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e6},
        },
    ),
    "Gemma-2B": (
        "gemma",
        {
            "hidden_size": 2048, "intermediate_size": 16384, "num_hidden_layers": 18,
            "num_attention_heads": 8, "num_key_value_heads": 1, "head_dim": 256,
            "vocab_size": 256000,
        },
    ),
    "Gemma-2-2B": (
        "gemma2",
        {
            "hidden_size": 2304, "intermediate_size": 9216, "num_hidden_layers": 26,
            "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256,
            "vocab_size": 256000, "sliding_window": 4096, "query_pre_attn_scalar": 256,
            "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0,
        },
    ),
    "Gemma-3-1B": (
        "gemma3_text",
        {
            "hidden_size": 1152, "intermediate_size": 6912, "num_hidden_layers": 26,
            "num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 256,
            "vocab_size": 262144, "sliding_window": 512, "query_pre_attn_scalar": 256,
            "rope_parameters": {
                "sliding_attention": GEMMA_3_ROPE,
                "full_attention": {"rope_type": "default", "rope_theta": 1e6},
            },
        },
    ),
    "Gemma-3-4B": (
        "gemma3",
        {
            "text_config": {
                "model_type": "gemma3_text",
                "hidden_size": 2560, "intermediate_size": 10240, "num_hidden_layers": 34,
                "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256,
                "vocab_size": 262208, "sliding_window": 1024, "query_pre_attn_scalar": 256,
                "rope_parameters": {
                    "sliding_attention": GEMMA_3_ROPE,
                    "full_attention": {"rope_type": "linear", "rope_theta": 1e6, "factor": 8.0},
                },
            },
            "vision_config": {
                "model_type": "siglip_vision_model",
                "hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27,
                "num_attention_heads": 16, "image_size": 896, "patch_size": 14,
            },
        },
    ),
}  # fmt: skip

LAYERS = 4
NARROWER = 16  # every width divided by this; counts of heads stay


def real_config(name: str) -> PretrainedConfig:
    """A model's configuration at its real size."""
    model_type, differing = REAL[name]
    return AutoConfig.for_model(model_type, **differing)


def shrink(config: PretrainedConfig, vocabulary: int) -> PretrainedConfig:
    """The same architecture with a few narrow layers and a small vocabulary."""
    text = config.get_text_config()
    kinds = getattr(text, "layer_types", None)
    if kinds is not None:  # both kinds of attention stay, if there were both
        last = "full_attention" if "full_attention" in kinds else kinds[-1]
        text.layer_types = [*kinds[: LAYERS - 1], last]
    if getattr(text, "query_pre_attn_scalar", None):
        text.query_pre_attn_scalar //= NARROWER
    if getattr(text, "sliding_window", None):
        text.sliding_window = 8
    text.head_dim = (
        getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    ) // NARROWER
    text.num_hidden_layers = LAYERS
    text.hidden_size //= NARROWER
    text.intermediate_size //= NARROWER
    text.vocab_size = vocabulary
    text.pad_token_id, text.bos_token_id, text.eos_token_id = 0, None, 1
    if text is not config:
        vision = config.vision_config
        vision.num_hidden_layers, vision.hidden_size, vision.intermediate_size = 1, 32, 48
        vision.num_attention_heads, vision.image_size, vision.patch_size = 2, 28, 14
        config.mm_tokens_per_image = 4
        config.image_token_index = config.boi_token_index = config.eoi_token_index = 2
    return config


def save_shrunk(name: str, tokenizer: PreTrainedTokenizerBase, folder: Path) -> Path:
    """Writes a shrunk model with random weights, as a user's folder would look."""
    torch.manual_seed(0)
    config = shrink(real_config(name), len(tokenizer))
    model = AutoModelForCausalLM.from_config(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
