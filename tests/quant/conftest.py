"""A random model whose rows are whole blocks of every format."""

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from mansu.models.families import family_of
from mansu.models.language_model import LanguageModel


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=32,
        hidden_size=64,
        intermediate_size=128,  # whole blocks: on CPU bitsandbytes misreads any other rows
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=True,
    )
    module = LlamaForCausalLM(config).eval().requires_grad_(False)
    words = {f"w{i}": i for i in range(32)}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel(words, "w0")))
    return LanguageModel("random", module, tokenizer, family_of(config), "")
