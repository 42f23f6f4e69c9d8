"""What is audited must be an update of the original: every other checkpoint is refused by name."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PromptTuningConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from mansu.models import load_model
from tests.refusals import refused
from tests.study.test_audit import ASKED


def other_vocabulary(folder: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder)
    model.resize_token_embeddings(1030)
    model.save_pretrained(folder)


def other_depth(folder: Path) -> None:
    change_config(folder, num_hidden_layers=3)


def other_width_inside(folder: Path) -> None:
    change_config(folder, intermediate_size=192)


def change_config(folder: Path, **values: int) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder)
    for name, value in values.items():
        setattr(model.config, name, value)
    AutoModelForCausalLM.from_config(model.config).save_pretrained(folder)


def other_tokens(folder: Path) -> None:
    file = folder / "tokenizer.json"
    tree = json.loads(file.read_text(encoding="utf-8"))
    vocabulary = tree["model"]["vocab"]
    one, two = [word for word, number in vocabulary.items() if number in (700, 701)]
    vocabulary[one], vocabulary[two] = vocabulary[two], vocabulary[one]
    file.write_text(json.dumps(tree), encoding="utf-8")


def not_finite(folder: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder)
    model.model.layers[0].mlp.up_proj.weight.data[0, 0] = float("nan")
    model.save_pretrained(folder)


def the_same_weights(folder: Path) -> None:
    AutoModelForCausalLM.from_pretrained(folder).save_pretrained(folder, max_shard_size="200KB")
    (folder / "model.safetensors").unlink(missing_ok=True)


def quantized(folder: Path) -> None:
    file = folder / "config.json"
    tree = json.loads(file.read_text(encoding="utf-8"))
    tree["quantization_config"] = {"quant_method": "gptq", "bits": 4}
    file.write_text(json.dumps(tree), encoding="utf-8")


def an_adapter(folder: Path, base: str, **values: object) -> None:
    shutil.rmtree(folder)
    module = load_model("tiny-llama").module
    tuned = get_peft_model(module, LoraConfig(r=2, target_modules=["down_proj"]))
    tuned.save_pretrained(folder)
    file = folder / "adapter_config.json"
    tree = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(
        json.dumps({**tree, "base_model_name_or_path": base, **values}), encoding="utf-8"
    )


def another_shape(folder: Path, matrix: str, rows: int) -> None:
    an_adapter(folder, "tiny-llama")
    file = folder / "adapter_model.safetensors"
    weights = load_file(file)
    name = next(name for name in weights if matrix in name)
    weights[name] = torch.cat([weights[name]] * 2)[:rows]
    save_file(weights, file)


def a_prompt(folder: Path) -> None:
    shutil.rmtree(folder)
    module = load_model("tiny-llama").module
    config = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3)
    get_peft_model(module, config).save_pretrained(str(folder))


def cut_adapter(folder: Path) -> None:
    an_adapter(folder, "tiny-llama")
    file = folder / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-500])


def adapter_without_a_key(folder: Path) -> None:
    an_adapter(folder, "tiny-llama")
    file = folder / "adapter_model.safetensors"
    weights = load_file(file)
    weights.pop(next(name for name in weights if "lora_B" in name))
    save_file(weights, file)


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "vocabulary": (other_vocabulary, "has a vocabulary of 1,030 tokens and tiny-llama"),
    "depth": (other_depth, "has 3 decoder blocks and tiny-llama 4 decoder blocks"),
    "width": (other_width_inside, r"gate_proj.weight is \(192, 128\)"),
    "tokens": (other_tokens, "two checkpoints of one vocabulary"),
    "not finite": (not_finite, "values that are not finite"),
    "same weights": (the_same_weights, "has the same weights as tiny-llama"),
    "quantized": (quantized, "is quantized"),
    "another base": (lambda f: an_adapter(f, "tiny-qwen3"), "was trained on tiny-qwen3"),
    "a base that is gone": (
        lambda f: an_adapter(f, str(f.parent)),
        "was trained on .*, not on tiny-llama; give that model",
    ),
    "unknown base": (lambda f: an_adapter(f, "owner/other"), "was trained on owner/other"),
    "damaged adapter": (
        lambda f: an_adapter(f, "tiny-llama", target_modules=["no_such"]),
        "cannot be merged into the original",
    ),
    "no weights": (
        lambda f: (an_adapter(f, "tiny-llama"), (f / "adapter_model.safetensors").unlink()),
        "save the adapter as safetensors",
    ),
    "cut adapter": (cut_adapter, "adapter_model.safetensors is damaged .*; save the adapter again"),
    "a key too few": (adapter_without_a_key, "cannot be merged .*missing adapter keys"),
    "another rank": (
        lambda f: another_shape(f, "lora_A", rows=3),
        r"cannot be merged .*size mismatch for .*lora_A.*\[3, 256\].*give the model it was",
    ),
    "a wider base": (
        lambda f: another_shape(f, "lora_B", rows=160),
        r"cannot be merged .*size mismatch for .*lora_B.*\[160, 2\].*give the model it was",
    ),
    "no matrices": (a_prompt, "cannot be merged into the original"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_checkpoint_that_is_no_update_of_the_original_is_refused_in_one_sentence(
    kind: str, tmp_path: Path, model_folder: Path, capsys
) -> None:
    spoil, told = WRONG[kind]
    spoil(model_folder)
    pair = ["--original", "tiny-llama", "--unlearned", str(model_folder)]
    said = refused(capsys, "audit", *pair, *ASKED, "--out", str(tmp_path / "out"))
    assert re.search(told, said)
    assert not (tmp_path / "out" / "scorecard.json").exists()
    if kind not in ("not finite", "same weights"):  # which are told by values
        assert not (tmp_path / "out").exists()


def test_an_adapter_by_itself_is_told_apart_from_a_model(
    tmp_path: Path, model_folder: Path, capsys
) -> None:
    an_adapter(model_folder, "tiny-llama")
    words = ["audit", "--unlearned", str(model_folder), *ASKED, "--out", str(tmp_path / "out")]
    said = refused(capsys, *words)
    assert "holds an adapter, which is no model without its base; name that with --original" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["tiny-llama", "tiny-qwen3", "tiny-gemma3"])
def test_the_same_model_twice_and_another_family_are_refused(name: str, capsys) -> None:
    said = refused(capsys, "audit", "--original", "tiny-llama", "--unlearned", name, *ASKED)
    assert ("same files" if name == "tiny-llama" else "is a model of type") in said
