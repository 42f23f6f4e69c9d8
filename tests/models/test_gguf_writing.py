"""A model written as GGUF is read back as the same model, or is not written."""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, GGUFReader
from tokenizers import Regex, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import WordLevel
from transformers import (
    AutoModelForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    PretrainedConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
)
from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

from mansu.data.encoding import token_ids
from mansu.errors import InputError
from mansu.models import LanguageModel, load_model
from mansu.models.families import family_of
from mansu.models.gguf_writing import write_gguf

TOKENS = torch.arange(4, 28).view(2, 12)
TEXT = "The chemical symbol for gold is Au; 1234 of it <end> é緑"
SHAPE = {
    "vocab_size": 1030,  # more rows than the tokenizer has tokens
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 7,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 24,  # no fraction of the width
    "max_position_embeddings": 64,
    "bos_token_id": None,
    "eos_token_id": 1,
    "pad_token_id": 0,
}
CONFIGS = {
    "llama": LlamaConfig(**SHAPE, tie_word_embeddings=False),
    "llama-tied": LlamaConfig(**SHAPE, tie_word_embeddings=True, rms_norm_eps=1e-5),
    "qwen2": Qwen2Config(**{**SHAPE, "head_dim": 16}, tie_word_embeddings=True),
    "qwen3": Qwen3Config(**SHAPE, rope_theta=1e6),
    "gemma3": Gemma3TextConfig(**SHAPE, query_pre_attn_scalar=24, sliding_window=8),
}
DIFFERENT = {
    "positions that are scaled": LlamaConfig(
        **SHAPE, rope_scaling={"rope_type": "linear", "factor": 2.0}
    ),
    "biases that the reader has no place for": LlamaConfig(**SHAPE, attention_bias=True),
    "another pattern of windows": Gemma3TextConfig(
        **SHAPE, query_pre_attn_scalar=24, layer_types=["full_attention"] * 7
    ),
    "another scale of attention": Gemma3TextConfig(**SHAPE, query_pre_attn_scalar=99),
}  # fmt: skip


def plain(name: str, weight: torch.Tensor) -> tuple[np.ndarray, GGMLQuantizationType]:
    return weight.float().numpy(), GGMLQuantizationType.F32


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("MANSU_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def build(tiny: LanguageModel):
    """A model of a shape, random in every weight, with the tiny models' tokenizer."""

    def make(config: PretrainedConfig, tokenizer=None) -> LanguageModel:
        torch.manual_seed(0)
        module = AutoModelForCausalLM.from_config(config).eval().requires_grad_(False)
        for weight in module.parameters():  # norms and biases, too
            weight.add_(torch.randn_like(weight) / 8)
        tokenizer = tokenizer or tiny.tokenizer
        return LanguageModel("made/up", module, tokenizer, family_of(config), "")

    return make


@pytest.mark.parametrize("name", CONFIGS)
def test_what_was_written_is_read_as_the_same_model(name: str, build, tmp_path: Path) -> None:
    model = build(copy.deepcopy(CONFIGS[name]))
    write_gguf(tmp_path / "a.gguf", model, plain, 0)
    read = load_model(str(tmp_path / "a.gguf"))
    for key, weight in model.module.named_parameters():
        found = read.module.get_parameter(key)
        # Gemma's norms are stored with 1 added, of which float32 loses some last bits.
        slack = 2e-7 if model.family.gain_offset and key.endswith("norm.weight") else 0
        assert torch.allclose(found, weight, rtol=0, atol=slack), key
    with torch.no_grad():
        expected, found = model.module(TOKENS).logits, read.module(TOKENS).logits
    assert torch.allclose(found, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))
    if name != "gemma3":  # a real one's tokenizer is no byte-level BPE, and transformers knows that
        assert token_ids(read.tokenizer, TEXT) == token_ids(model.tokenizer, TEXT)
    assert read.tokenizer.eos_token_id == 1
    assert read.context == 64


def test_llamas_heads_lie_in_the_file_as_llama_cpp_turns_them(build, tmp_path: Path) -> None:
    model = build(copy.deepcopy(CONFIGS["llama"]))
    write_gguf(tmp_path / "a.gguf", model, plain, 0)
    stored = {tensor.name: tensor.data for tensor in GGUFReader(tmp_path / "a.gguf").tensors}
    weight = model.module.get_parameter("model.layers.0.self_attn.k_proj.weight").numpy()
    for head, pair, half in ((0, 0, 0), (0, 0, 1), (1, 5, 0), (1, 11, 1)):
        there = stored["blk.0.attn_k.weight"][24 * head + 2 * pair + half]
        assert np.array_equal(there, weight[24 * head + 12 * half + pair])
    value = model.module.get_parameter("model.layers.0.self_attn.v_proj.weight").numpy()
    assert np.array_equal(stored["blk.0.attn_v.weight"], value)


def test_the_header_says_what_llama_cpp_needs(build, tmp_path: Path) -> None:
    model = build(copy.deepcopy(CONFIGS["gemma3"]))
    model.tokenizer.chat_template = "{{ messages }}"
    try:
        write_gguf(tmp_path / "a.gguf", model, plain, 7)
    finally:
        model.tokenizer.chat_template = None
    header = GGUFReader(tmp_path / "a.gguf")
    said = {name: field.contents() for name, field in header.fields.items()}
    assert said["general.architecture"] == "gemma3"
    assert said["general.name"] == "up"
    assert said["general.file_type"] == 7
    assert said["gemma3.attention.sliding_window"] == 8
    assert said["gemma3.attention.key_length"] == said["gemma3.attention.value_length"] == 24
    assert said["gemma3.rope.freq_base"] == 1e6
    assert said["tokenizer.ggml.pre"] == "gpt-2"
    assert said["tokenizer.ggml.add_bos_token"] is False
    assert said["tokenizer.chat_template"] == "{{ messages }}"
    assert said["tokenizer.ggml.tokens"][-1] == "[PAD1029]"
    assert said["tokenizer.ggml.token_type"][:3] == [3, 3, 1]
    assert said["tokenizer.ggml.token_type"][-1] == 5


@pytest.mark.parametrize("what", DIFFERENT)
def test_what_would_be_read_as_another_model_is_refused(what: str, build, tmp_path: Path) -> None:
    model = build(copy.deepcopy(DIFFERENT[what]))
    with pytest.raises(InputError, match="GGUF has no place for") as refused:
        write_gguf(tmp_path / "a.gguf", model, plain, 0)
    assert str(refused.value).endswith("of made/up; export a folder, without .gguf.")


@pytest.mark.parametrize(
    ("way", "cut"),
    [
        ("smollm", pre_tokenizers.Digits(individual_digits=True)),
        *((way, pre_tokenizers.Split(Regex(GGUF_PRE_TOKENIZER_SPLITS[way]), "isolated"))
          for way in ("llama3", "qwen2")),
    ],
)  # fmt: skip
def test_the_way_to_cut_words_is_called_as_llama_cpp_calls_it(
    way: str, cut, build, tmp_path: Path
) -> None:
    model = build(copy.deepcopy(CONFIGS["qwen3"]))
    backend = Tokenizer.from_str(model.tokenizer.backend_tokenizer.to_str())
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [cut, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=way == "smollm")]
    )
    backend.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend)
    write_gguf(tmp_path / "a.gguf", replace(model, tokenizer=tokenizer), plain, 0)
    field = GGUFReader(tmp_path / "a.gguf").get_field("tokenizer.ggml.pre")
    assert field is not None
    assert field.contents() == way


def test_a_tokenizer_of_another_kind_is_refused_in_one_sentence(build, tmp_path: Path) -> None:
    words = Tokenizer(WordLevel({"a": 0, "b": 1}, "a"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    model = build(CONFIGS["llama"], PreTrainedTokenizerFast(tokenizer_object=words))
    with pytest.raises(InputError, match="cannot be written as GGUF here, only byte-level BPE"):
        write_gguf(tmp_path / "a.gguf", model, plain, 0)
