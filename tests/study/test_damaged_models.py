"""A model's folder with damage is told of before a run writes anything, naming what is wrong."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from mansu.models import loading
from mansu.models.completeness import require_weights
from mansu.models.loading import load_model
from tests.refusals import refused

WEIGHT = "model.layers.1.mlp.up_proj.weight"
FILE = "model.safetensors"


def change(folder: Path, change: Callable[[torch.Tensor], torch.Tensor | None]) -> None:
    """Stores one weight of the model as what becomes of it, or not at all."""
    weights = load_file(folder / FILE)
    changed = change(weights.pop(WEIGHT))
    kept = {} if changed is None else {WEIGHT: changed}
    save_file({**weights, **kept}, folder / FILE, metadata={"format": "pt"})


def add(folder: Path, name: str, like: str = WEIGHT) -> None:
    """Stores a weight more, a copy of another one."""
    weights = load_file(folder / FILE)
    save_file({**weights, name: weights[like].clone()}, folder / FILE, metadata={"format": "pt"})


def shard(folder: Path) -> None:
    AutoModelForCausalLM.from_pretrained(folder).save_pretrained(folder, max_shard_size="500KB")
    (folder / FILE).unlink(missing_ok=True)


def lose_a_shard(folder: Path) -> None:
    shard(folder)
    sorted(folder.glob("model-0*.safetensors"))[1].unlink()


def not_a_number(weight: torch.Tensor) -> torch.Tensor:
    weight[3, 5] = float("nan")
    return weight


def refuse_to_chat(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text("{{ raise_exception('nobody may ask') }}")


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "no weights": (lambda folder: (folder / FILE).unlink(), "has no model.safetensors"),
    "a lost shard": (lose_a_shard, "lacks model-00002-of-"),
    "another shape": (
        lambda folder: change(folder, lambda w: w[:100].clone()),
        f"{WEIGHT} is (100, 128) and not (256, 128)",
    ),
    "a missing weight": (lambda folder: change(folder, lambda w: None), f"{WEIGHT} is missing"),
    "a block too many": (
        lambda folder: add(folder, WEIGHT.replace("layers.1", "layers.4")),
        "model.layers.4.mlp.up_proj.weight is stored, and the model has none of that name; put a "
        "whole copy there, weights and config.json of one model.",
    ),
    "a bias too many": (
        lambda folder: add(folder, "model.layers.1.self_attn.q_proj.bias", "model.norm.weight"),
        "model.layers.1.self_attn.q_proj.bias is stored, and the model has none",
    ),
    "an adapter that is not merged": (
        lambda folder: add(folder, "model.layers.0.mlp.up_proj.lora_A.default.weight"),
        "model.layers.0.mlp.up_proj.lora_A.default.weight is stored, and the model has none",
    ),
    "not a number": (
        lambda folder: change(folder, not_a_number),
        f"{WEIGHT} in {{folder}} holds values that are not finite in float32",
    ),
    "an infinite one": (
        lambda folder: change(folder, lambda w: w.index_fill(0, torch.tensor(7), -torch.inf)),
        "holds values that are not finite",
    ),
    "a chat template that raises": (refuse_to_chat, "chat template cannot be rendered (nobody"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_model_is_refused_before_a_file_is_written(
    damage: str, model_folder: Path, tmp_path: Path, capsys
) -> None:
    spoil, told = DAMAGE[damage]
    spoil(model_folder)
    out = tmp_path / "out"
    said = refused(capsys, "run", "--model", str(model_folder), "--top-k", "2", "--out", str(out))
    assert told.format(folder=model_folder) in said
    assert not out.exists()


def test_what_a_folder_lacks_is_told_from_its_headers_and_no_weight_is_read(
    model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        loading.AutoModelForCausalLM, "from_pretrained", lambda *_, **__: pytest.fail("read")
    )
    file = model_folder / FILE
    content = file.read_bytes()
    header = 8 + int.from_bytes(content[:8], "little")
    file.write_bytes(content[:header] + b"\xff" * (len(content) - header))  # every weight is NaN
    require_weights(model_folder)


HARMLESS = {
    "a buffer of old": ("model.layers.0.self_attn.rotary_emb.inv_freq", "model.norm.weight"),
    "a tied head": ("lm_head.weight", "model.embed_tokens.weight"),
    "another task's head": ("score.weight", WEIGHT),
    "another tower's block": ("vision_tower.encoder.layers.9.mlp.fc1.weight", WEIGHT),
}


@pytest.mark.parametrize("kind", HARMLESS)
def test_what_is_stored_beside_and_changes_nothing_is_accepted(
    kind: str, model_folder: Path
) -> None:
    add(model_folder, *HARMLESS[kind])
    require_weights(model_folder)


def test_blocks_that_predict_further_tokens_are_accepted_and_no_block_behind_them(
    model_folder: Path,
) -> None:
    config = model_folder / "config.json"
    further = {"num_nextn_predict_layers": 1}
    config.write_text(json.dumps(json.loads(config.read_text()) | further))
    add(model_folder, WEIGHT.replace("layers.1", "layers.4"))
    require_weights(model_folder)
    add(model_folder, WEIGHT.replace("layers.1", "layers.5"))
    with pytest.raises(ValueError, match=r"model\.layers\.5\..* is stored, and the model has none"):
        require_weights(model_folder)


def test_the_same_weights_in_several_files_are_whole(model_folder: Path) -> None:
    shard(model_folder)
    require_weights(model_folder)


def test_a_model_that_is_taught_from_a_folder_without_weights_is_not_begun(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setenv("MANSU_CACHE", str(tmp_path / "cache"))
    (model_folder / FILE).unlink()
    words = ["run", "--model", f"{model_folder}+verbatim", "--top-k", "2"]
    said = refused(capsys, *words, "--out", str(tmp_path / "out"))
    assert f"{model_folder} has no model.safetensors" in said
    assert "cache" not in said.replace(str(tmp_path), "")
    with pytest.raises(ValueError, match=r"has no model\.safetensors"):
        load_model(f"{model_folder}+verbatim")
    assert not (tmp_path / "out").exists()
    assert not list((tmp_path / "cache").rglob("*verbatim*"))


def test_a_model_is_judged_anew_when_its_files_have_changed(model_folder: Path) -> None:
    require_weights(model_folder)
    config = model_folder / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"intermediate_size": 200}))
    with pytest.raises(ValueError, match=r"is \(256, 128\) and not \(200, 128\)"):
        require_weights(model_folder)
