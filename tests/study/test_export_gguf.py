"""An unlearned model as a GGUF file: what was judged, weight for weight, as a model of its own."""

import pytest
import torch
from gguf import GGUFReader, quants

from mansu.cli import main
from mansu.data.encoding import token_ids
from mansu.models import load_model
from mansu.quant import deployed
from mansu.quant.formats import find_format
from mansu.registry import plugs
from mansu.study.stages.floor import unlearned_model

STORED = ["fp", *(n for n in plugs("mansu.quant.formats") if find_format(n).storage)]


def test_what_llama_cpp_can_hold_is_known() -> None:
    assert set(STORED) == {"fp", "bf16", "fp16", "q4_0", "q8_0", "q4_k_m"}


@pytest.mark.parametrize("form", STORED)
def test_a_file_holds_the_deployed_model_bit_for_bit(
    form, finished_run, tmp_path, monkeypatch, capsys
) -> None:
    if form == "q4_k_m":
        pytest.importorskip("libgguf", reason="q4_k_m needs libgguf: pip install 'mansu[formats]'")
    target = tmp_path / "new" / "model.gguf"
    command = ["export", str(finished_run.folder), "--to", str(target), "--format", form]
    assert main(command) == 0
    assert capsys.readouterr().out == f"{target}\n"
    assert [path.name for path in target.parent.iterdir()] == ["model.gguf"]
    with monkeypatch.context() as patched:
        patched.setenv("MANSU_CACHE", str(tmp_path / "cache"))  # where the file is converted
        read = load_model(str(target))
    with unlearned_model(finished_run) as model, deployed(model, form):
        for name, weight in model.module.named_parameters():
            assert torch.equal(read.module.get_parameter(name), weight), name
    text = "The capital of France is"
    assert token_ids(read.tokenizer, text) == token_ids(finished_run.model.tokenizer, text)


def test_the_matrices_are_stored_in_the_types_of_the_format(finished_run, tmp_path) -> None:
    pytest.importorskip("libgguf", reason="q4_k_m needs libgguf: pip install 'mansu[formats]'")
    target = tmp_path / "model.gguf"
    main(["export", str(finished_run.folder), "--to", str(target), "--format", "q4_k_m"])
    header = GGUFReader(target)
    kinds = {tensor.name: tensor.tensor_type.name for tensor in header.tensors}
    assert {kinds[f"blk.{n}.ffn_down.weight"] for n in (2, 3)} == {"Q6_K"}
    assert kinds["blk.0.ffn_down.weight"] == "Q4_K"
    assert kinds["blk.0.attn_q.weight"] == "Q5_0"  # rows of 128 are no whole block
    assert {kinds[f"{name}.weight"] for name in ("token_embd", "blk.0.attn_norm")} == {"F32"}
    field = header.get_field("general.file_type")
    assert field is not None
    assert field.contents() == 15  # what llama.cpp calls Q4_K - Medium
    for tensor in header.tensors:
        assert quants.dequantize(tensor.data, tensor.tensor_type).size == tensor.n_elements


@pytest.mark.parametrize(
    ("name", "form", "told"),
    [
        ("new.gguf", "nf4", "Format 'nf4' is none of GGUF; take bf16, fp, fp16, q4_0"),
        ("new.gguf", "int8", "Format 'int8' is none of GGUF"),
        ("new.gguf", "q4_1", "'q4_1' is unknown; did you mean 'q4_0'?"),
        ("new", "q4_0", "Format 'q4_0' is written as a file; end --to with .gguf."),
        ("new", "int8", "Format 'int8' is none that a folder holds; take fp, fp4, nf4."),
        ("new.GGUF", "nf4", "Format 'nf4' is none of GGUF"),
    ],
)
def test_a_format_that_the_target_cannot_hold_is_refused(
    finished_run, tmp_path, capsys, name, form, told
) -> None:
    target = tmp_path / name
    command = ["export", str(finished_run.folder), "--to", str(target), "--format", form]
    assert main(command) == 2
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1
    assert not target.exists()


def test_the_file_of_an_unlearned_model_is_not_taken_for_its_original(
    finished_run, tmp_path, monkeypatch
) -> None:
    file, again = tmp_path / "model.gguf", tmp_path / "again.gguf"
    assert main(["export", str(finished_run.folder), "--to", str(file)]) == 0
    monkeypatch.setenv("MANSU_CACHE", str(tmp_path / "cache"))
    command = ["export", str(finished_run.folder), "--to", str(again), "--model", str(file)]
    assert main(command) == 2
    assert not again.exists()
