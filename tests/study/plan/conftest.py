"""Models large enough for a plan to be about weights, and fact sets small enough to be quick."""

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from mansu.data.facts import load_fact_set
from mansu.models import LanguageModel

# Wide and shallow, so that weights weigh against activations as in a real model.
WIDE = {
    "hidden_size": 384,
    "intermediate_size": 1536,
    "num_hidden_layers": 5,
    "num_attention_heads": 6,
    "num_key_value_heads": 3,
    "head_dim": 64,
    "max_position_embeddings": 512,
    "pad_token_id": 0,
    "bos_token_id": None,
    "eos_token_id": 1,
}
KINDS = {
    "llama": {"tie_word_embeddings": False},
    "gemma3_text": {
        "layer_types": ["sliding_attention"] * 4 + ["full_attention"],
        "sliding_window": 64,
        "query_pre_attn_scalar": 64,
    },
}


@pytest.fixture(scope="session")
def random_models(tiny: LanguageModel, tmp_path_factory) -> dict[str, str]:
    """Folders of models with random weights, 11 million and more, and the tiny tokenizer."""
    folders = {}
    for kind, differing in KINDS.items():
        folder = tmp_path_factory.mktemp(kind)
        config = AutoConfig.for_model(kind, vocab_size=len(tiny.tokenizer), **WIDE, **differing)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            AutoModelForCausalLM.from_config(config).save_pretrained(folder)
        tiny.tokenizer.save_pretrained(folder)
        folders[kind] = str(folder)
    return folders


@pytest.fixture(scope="session")
def excerpts(tmp_path_factory) -> dict[str, str]:
    """Fact sets with a few facts each: fewer batches of the same size."""
    folder, files = tmp_path_factory.mktemp("facts"), {}
    for role, name in {"forget": "elements", "retain": "capitals", "utility": "cities"}.items():
        lines = load_fact_set(name).path.read_text(encoding="utf-8").splitlines()
        path = folder / f"{name}.jsonl"
        path.write_text("\n".join(lines[:9]) + "\n", encoding="utf-8")
        files[role] = str(path)
    return files
