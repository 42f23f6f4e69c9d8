"""A GGUF file of the user's own: dequantized once, into the same folder as any other model."""

import json

import gguf
import pytest
import torch
from gguf import GGMLQuantizationType

from mansu.cli import main
from mansu.data.encoding import token_ids
from mansu.errors import InputError
from mansu.models import LanguageModel, load_model
from mansu.models.loading import find_model
from mansu.models.recipes import locate_model

NAMES = {
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "model.layers.": "blk.",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}  # fmt: skip


@pytest.fixture
def file(tiny: LanguageModel, tmp_path, monkeypatch):
    """The tiny Llama in Q8_0, as llama.cpp would write it."""
    monkeypatch.setenv("MANSU_CACHE", str(tmp_path / "cache"))
    path, config = tmp_path / "own.gguf", tiny.config
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_vocab_size(config.vocab_size)
    vocabulary = json.loads(tiny.tokenizer.backend_tokenizer.to_str())["model"]
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(sorted(vocabulary["vocab"], key=vocabulary["vocab"].get))
    writer.add_token_types([3, 3] + [1] * (len(vocabulary["vocab"]) - 2))
    writer.add_token_merges([" ".join(pair) for pair in vocabulary["merges"]])
    writer.add_eos_token_id(1)
    writer.add_pad_token_id(0)
    for name, weight in tiny.module.state_dict().items():
        if name == "lm_head.weight":
            continue  # tied
        values, short = weight.float().numpy(), name
        for theirs, own in NAMES.items():
            short = short.replace(theirs, own)
        if heads := {"q_proj": 4, "k_proj": 2}.get(name.split(".")[-2]):  # pairs interleaved
            rows = values.reshape(heads, 2, values.shape[0] // heads // 2, -1)
            values = rows.swapaxes(1, 2).reshape(values.shape)
        kind = GGMLQuantizationType.F32 if values.ndim == 1 else GGMLQuantizationType.Q8_0
        writer.add_tensor(short, gguf.quants.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_its_name_may_be_odd_and_as_long_as_a_file_s_can_be(file):
    odd = file.rename(file.with_name("é %s'\n#" + "x" * 240 + ".gguf"))
    found = find_model(str(odd))
    assert (found / "model.safetensors").is_file()
    assert find_model(str(odd)) == found


def test_it_loads_as_what_its_codes_stand_for(file, tiny):
    model = load_model(str(file))
    text = "The chemical symbol for gold is"
    assert token_ids(model.tokenizer, text) == token_ids(tiny.tokenizer, text)
    assert model.context == tiny.context
    for name, weight in tiny.module.named_parameters():
        found = model.module.get_parameter(name)
        assert found.dtype == torch.float32
        assert (found - weight).abs().max() <= weight.abs().max() / 127  # Q8_0's widest step
    assert find_model(str(file)).parent.parent == file.parent / "cache"


def test_it_is_found_from_any_folder_and_planned_for(file, monkeypatch, capsys):
    monkeypatch.chdir(file.parent)
    assert locate_model("own.gguf") == str(file)
    assert main(["plan", "--model", "own.gguf", "--top-k", "1"]) == 0
    said = " ".join(capsys.readouterr().out.split())  # a long path moves the line breaks
    assert "722,048 weights in float32" in said


def altered(file, change) -> str:
    """The path of a copy of the file, written anew with a changed header or changed tensors."""
    read, copy = gguf.GGUFReader(file), file.with_name("altered.gguf")
    writer = gguf.GGUFWriter(copy, "llama")
    for name, field in read.fields.items():
        if not name.startswith(("GGUF.", "general.architecture")):
            kind = field.types[0]
            inner = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(name, field.contents(), kind, inner)
    tensors = {tensor.name: (tensor.data, tensor.tensor_type) for tensor in read.tensors}
    change(writer, tensors)
    for name, (data, kind) in tensors.items():
        writer.add_tensor(name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return str(copy)


def scale_positions(writer, tensors) -> None:
    writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)


def add_frequencies(writer, tensors) -> None:  # how Llama 3.1 and later scale their positions
    tensors["rope_freqs.weight"] = (torch.ones(16).numpy(), GGMLQuantizationType.F32)


def add_bias(writer, tensors) -> None:
    tensors["blk.1.ffn_up.bias"] = (torch.ones(256).numpy(), GGMLQuantizationType.F32)


def lose_a_matrix(writer, tensors) -> None:
    del tensors["blk.2.attn_v.weight"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (scale_positions, "scales its rotary positions ('yarn')"),
        (add_frequencies, "holds 'rope_freqs.weight', for which a model of type 'llama' has no"),
        (add_bias, "holds 'blk.1.ffn_up.bias', for which"),
        (lose_a_matrix, "lacks the weights of model.layers.2.self_attn.v_proj.weight"),
    ],
)
def test_a_file_that_would_be_read_as_another_model_is_refused(file, capsys, change, told):
    name = altered(file, change)
    assert main(["plan", "--model", name, "--top-k", "1"]) == 2
    said = capsys.readouterr().err
    assert told in " ".join(said.split())
    assert said.count("\n") == 1


def test_a_copy_with_nothing_changed_is_the_same_model(file):
    first = load_model(str(file)).module.state_dict()
    second = load_model(altered(file, lambda writer, tensors: None)).module.state_dict()
    assert all(torch.equal(weight, second[name]) for name, weight in first.items())


@pytest.mark.parametrize("kept", [0, 3, 100, 5000])
def test_a_damaged_file_is_told_in_one_sentence(file, kept):
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(InputError, match="cannot be read as a model") as told:
        load_model(str(file))
    assert "\n" not in str(told.value)


def test_a_file_of_an_unsupported_architecture_names_the_supported_ones(tmp_path, monkeypatch):
    monkeypatch.setenv("MANSU_CACHE", str(tmp_path / "cache"))
    writer = gguf.GGUFWriter(tmp_path / "other.gguf", "falcon")
    writer.add_block_count(1)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(InputError) as told:
        load_model(str(tmp_path / "other.gguf"))
    assert "\n" not in str(told.value)
