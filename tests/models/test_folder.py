"""What a folder says of its model, and that it is believed before any weight is loaded."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from huggingface_hub.utils import filter_repo_objects
from safetensors.torch import load_file, save_file

from mansu.errors import InputError
from mansu.models import LanguageModel, load_model
from mansu.models.folder import read_config
from mansu.models.loading import HUB_FILES, NOT_FETCHED, find_model, load_tokenizer
from mansu.models.recipes import locate_model

Change = Callable[..., Path]


@pytest.fixture
def changed(model_folder: Path) -> Change:
    """The tiny model's folder with other values in its configuration."""

    def change(**values: object) -> Path:
        path = model_folder / "config.json"
        config = json.loads(path.read_text()) | values
        path.write_text(json.dumps({k: v for k, v in config.items() if v != "leave out"}))
        return model_folder

    return change


def refused(folder: Path) -> str:
    with pytest.raises(InputError) as told:
        read_config(folder)
    assert "\n" not in str(told.value)
    return str(told.value)


@pytest.mark.parametrize(
    ("scheme", "named"),
    [
        ({"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "quant_method": "bitsandbytes"},
         "bitsandbytes nf4"),
        ({"load_in_4bit": True}, "bitsandbytes fp4"),
        ({"load_in_8bit": True, "quant_method": "bitsandbytes"}, "bitsandbytes int8"),
        ({"bits": 4, "group_size": 128, "quant_method": "gptq"}, "gptq 4-bit"),
        ({"bits": 4, "quant_method": "awq", "version": "gemm"}, "awq 4-bit"),
        ({"quant_method": "fp8", "weight_block_size": [128, 128]}, "fp8"),
        ({"quant_method": "compressed-tensors", "format": "pack-quantized"},
         "compressed-tensors pack-quantized"),
        ({"quant_method": "mxfp4"}, "mxfp4"),
        (["unheard of"], "by an unknown method"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("key", ["quantization_config", "compression_config"])
def test_a_quantized_model_is_refused_by_its_configuration(changed: Change, key, scheme, named):
    assert f"is quantized ({named}); give the full-precision model" in refused(
        changed(**{key: scheme})
    )


def test_a_quantized_decoder_of_a_model_that_also_reads_images_is_refused(changed: Change):
    text = {"model_type": "gemma3_text", "quantization_config": {"quant_method": "fp8"}}
    assert "quantized (fp8)" in refused(changed(model_type="gemma3", text_config=text))


@pytest.mark.parametrize("none", [None, {}])
def test_a_configuration_that_names_no_quantization_is_read(changed: Change, none):
    assert read_config(changed(quantization_config=none)).model_type == "llama"


def store(folder: Path, change: Callable[[torch.Tensor], torch.Tensor], suffix: str = "") -> None:
    """Stores one weight of the model in another form, and perhaps under another name."""
    path = folder / "model.safetensors"
    weights, name = load_file(path), "model.layers.1.mlp.up_proj.weight"
    weights[name + suffix] = change(weights.pop(name))
    save_file(weights, path, metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("change", "suffix", "kind"),
    [
        (lambda w: w.to(torch.float8_e4m3fn), "", "F8_E4M3"),
        (lambda w: w.to(torch.float8_e5m2), "", "F8_E5M2"),
        (lambda w: w.to(torch.int8), "", "I8"),
        (lambda w: w.to(torch.uint8).view(-1, 1), "", "U8"),
        (lambda w: w.to(torch.int32), "_packed", "I32"),
    ],
)
def test_codes_are_refused_by_how_they_are_stored_alone(model_folder, change, suffix, kind):
    store(model_folder, change, suffix)
    assert f"is stored as {kind}); give the full-precision model" in refused(model_folder)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_every_full_precision_is_read(model_folder, dtype):
    store(model_folder, lambda w: w.to(dtype))
    assert load_model(str(model_folder)).module.dtype == torch.float32


def test_positions_in_integers_are_no_codes(model_folder):
    path = model_folder / "model.safetensors"
    others = {"vision_tower.embeddings.position_ids": torch.arange(9)[None]}
    save_file(load_file(path) | others, path, metadata={"format": "pt"})
    assert read_config(model_folder).model_type == "llama"


def test_weights_in_parts_are_checked_part_by_part(model_folder):
    store(model_folder, lambda w: w.to(torch.int8))
    weights = load_file(model_folder / "model.safetensors")
    (model_folder / "model.safetensors").unlink()
    places = {n: f"model-0000{1 + i % 2}-of-00002.safetensors" for i, n in enumerate(weights)}
    for part in set(places.values()):
        held = {n: w for n, w in weights.items() if places[n] == part}
        save_file(held, model_folder / part, metadata={"format": "pt"})
    index = model_folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": places}))
    assert "is stored as I8" in refused(model_folder)
    index.write_text('{"weight_map": [1]}')
    assert "index" in refused(model_folder)


def test_the_same_weights_in_another_form_beside_them_do_not_count(model_folder, tiny):
    (model_folder / "consolidated.safetensors").write_bytes(b"of another library")
    assert load_model(str(model_folder)).fingerprint == tiny.fingerprint


@pytest.mark.parametrize(
    "values",
    [
        {"num_attention_heads": "four"},
        {"hidden_size": None},
        {"rope_scaling": {"rope_type": "no such"}},
        {"rope_scaling": {"rope_type": "yarn"}},
        {"num_attention_heads": 5},
        {"layer_types": ["no such attention"] * 4},
        {"dtype": "no such dtype"},
        {"vocab_size": -1},
        {"hidden_act": "no such function"},
    ],
)
def test_a_configuration_that_cannot_be_built_is_told_in_one_sentence(changed: Change, values):
    with pytest.raises(InputError) as told:
        load_model(str(changed(**values)))
    assert "\n" not in str(told.value)


def test_an_architecture_is_named_before_its_library_chokes_on_it(changed: Change):
    assert "'falcon' is not supported; supported" in refused(changed(model_type="falcon"))


def test_a_byte_order_mark_is_named(model_folder):
    path = model_folder / "config.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert "byte order mark" in refused(model_folder)


def test_nesting_without_end_is_told(model_folder):
    (model_folder / "config.json").write_text("[" * 100_000)
    assert "not a model configuration" in refused(model_folder)


@pytest.mark.parametrize("pad", [1024, 32_000, -1, -5000, None, 7, "leave out"])
def test_whatever_pads_the_model_says_the_same(changed: Change, tiny: LanguageModel, pad):
    tokens = torch.tensor([[40, 50, 60]])
    model = load_model(str(changed(pad_token_id=pad)))
    assert torch.equal(model.module(tokens).logits, tiny.module(tokens).logits)


@pytest.mark.parametrize("content", [None, "{", "[]", '{"version": "1.0"}'])
def test_a_tokenizer_that_is_missing_or_damaged_is_told(model_folder, content):
    for path in model_folder.glob("tokenizer*"):
        path.unlink()
    if content is not None:
        (model_folder / "tokenizer.json").write_text(content)
    with pytest.raises(InputError, match="tokenizer") as told:
        load_tokenizer(model_folder)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("scaling", "context"),
    [
        (None, 64),
        ({"rope_type": "linear", "factor": 2.0}, 64),
        ({"rope_type": "dynamic", "factor": 2.0}, 64),
        ({"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}, 64),
        ({"rope_type": "longrope", "factor": 4.0, "original_max_position_embeddings": 16,
          "short_factor": [1.0] * 16, "long_factor": [2.0] * 16}, 16),
    ],
)  # fmt: skip
def test_the_context_ends_where_results_would_depend_on_the_batch(
    changed: Change, scaling, context
):
    folder = changed(rope_parameters=None, rope_scaling=scaling, max_position_embeddings=64)
    assert load_model(str(folder)).context == context


def test_the_context_is_the_shortest_of_the_kinds_of_layers(tiny, monkeypatch):
    longrope = {"rope_type": "longrope", "original_max_position_embeddings": 32}
    both = {"full_attention": longrope, "sliding_attention": {"rope_type": "default"}}
    monkeypatch.setattr(tiny.module.config, "rope_parameters", both)
    assert tiny.context == 32


def test_a_hub_model_comes_with_its_templates_and_without_second_copies():
    wanted = [
        "config.json", "generation_config.json", "tokenizer.json", "tokenizer.model", "merges.txt",
        "model-00001-of-00002.safetensors", "model.safetensors.index.json", "chat_template.jinja",
        "additional_chat_templates/tool_use.jinja",
    ]  # fmt: skip
    other = [
        "consolidated.safetensors", "consolidated.00.pth", "original/consolidated.00.safetensors",
        "original/params.json", "original/tokenizer.model", "onnx/config.json", "model.gguf",
        "modeling_own.py", "pytorch_model.bin",
    ]  # fmt: skip
    fetched = filter_repo_objects(
        wanted + other, allow_patterns=HUB_FILES, ignore_patterns=NOT_FETCHED
    )
    assert list(fetched) == wanted


def test_a_folder_may_be_given_from_home_or_by_a_variable(model_folder, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(model_folder.parent))
    monkeypatch.setenv("MODELS", str(model_folder.parent))
    for name in ("~/model", "$MODELS/model", "${MODELS}/model"):
        assert find_model(name) == model_folder
        assert locate_model(name) == str(model_folder)


def test_a_name_is_located_where_it_stands_unless_it_is_nobodys_folder(model_folder, monkeypatch):
    monkeypatch.chdir(model_folder.parent)
    assert locate_model("model") == locate_model("./model") == str(model_folder)
    shutil.copytree(model_folder, model_folder.parent / "tiny-llama")
    for name in ("tiny-llama", "owner/model", "nowhere"):  # a known name is not a folder's
        assert locate_model(name) == name
