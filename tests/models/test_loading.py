import json
import shutil

import pytest
import torch

from mansu.errors import InputError
from mansu.models import load_model
from mansu.models import packaged as packaged_models
from mansu.models.loading import find_model


@pytest.fixture
def folder(tmp_path, tiny):
    """A local copy of the tiny model's folder."""
    return shutil.copytree(find_model("tiny-llama"), tmp_path / "model")


def test_a_local_folder_loads_like_the_model_it_was_copied_from(folder, tiny):
    copy = load_model(str(folder))
    assert copy.fingerprint == tiny.fingerprint
    assert not any(parameter.requires_grad for parameter in copy.module.parameters())
    for name, weight in tiny.module.state_dict().items():
        assert torch.equal(weight, copy.module.state_dict()[name])


def test_the_dtype_is_a_parameter(folder):
    assert load_model(str(folder), dtype=torch.bfloat16).module.dtype == torch.bfloat16


def test_the_tiny_model_weighs_less_than_a_million_weights(each_tiny):
    assert each_tiny.weight_count < 1_000_000


@pytest.mark.parametrize("name", ["no-such-model", "owner/no-such-model", "./nowhere", "a/b/c"])
def test_an_unknown_model_is_told_in_one_sentence(name):
    with pytest.raises(InputError, match="model") as told:
        load_model(name)
    assert "\n" not in str(told.value)


def test_an_unsupported_architecture_names_the_supported_ones(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "gpt2"}))
    with pytest.raises(InputError, match=r"'gpt2' is not supported.*llama"):
        load_model(str(folder))


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '"model_type"', '{"model_type": 3}'])
def test_a_damaged_configuration_is_told(folder, text):
    (folder / "config.json").write_text(text)
    with pytest.raises(InputError):
        load_model(str(folder))


def test_a_truncated_weight_file_is_told(folder):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(InputError, match="damaged"):
        load_model(str(folder))


def test_missing_weights_are_told(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match="safetensors"):
        load_model(str(folder))


def test_weights_of_another_shape_are_told(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 5}))
    with pytest.raises(InputError):
        load_model(str(folder))


def test_a_pickled_checkpoint_is_never_opened(folder):
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(InputError, match="safetensors"):
        load_model(str(folder))


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
