import pytest
import torch
from bitsandbytes.nn.modules import Linear4bit

from mansu.cli import main
from mansu.models import load_model
from mansu.quant.codebook import NF4
from mansu.quant.deployed import linear_weights, load_real_4bit
from mansu.study import export
from mansu.study.export import export_run
from mansu.study.stages.floor import floor, unlearned_model


def test_a_full_precision_export_is_the_unlearned_model(finished_run, tmp_path, capsys):
    target = tmp_path / "exported"
    assert main(["export", str(finished_run.folder), "--to", str(target)]) == 0
    exported = load_model(str(target)).module.state_dict()
    with unlearned_model(finished_run):
        for name, weight in finished_run.model.module.state_dict().items():
            assert torch.equal(exported[name], weight), name
    assert [p.name for p in tmp_path.iterdir()] == ["exported"]


def test_every_changed_weight_survives_export_and_real_quantization(finished_run, tmp_path):
    target = tmp_path / "exported"
    main(["export", str(finished_run.folder), "--to", str(target)])
    real = load_real_4bit(target, torch.float32, NF4)
    checkpoint = floor(finished_run)
    assert sum(index.numel() for index in checkpoint.index.values()) > 0
    for name, index in checkpoint.index.items():
        layer = real.get_submodule(name.removesuffix(".weight"))
        assert isinstance(layer, Linear4bit)
        packed = layer.weight.data.flatten()
        after = torch.stack((packed >> 4, packed & 15), dim=1).flatten()
        before = NF4.codes(finished_run.model.module.get_parameter(name).data)
        changed = (after != before).nonzero()[:, 0]
        assert torch.equal(changed, index.sort().values), name


def test_an_nf4_export_loads_with_real_four_bit_layers(finished_run, tmp_path):
    from transformers import AutoModelForCausalLM

    target = tmp_path / "exported"
    command = ["export", str(finished_run.folder), "--to", str(target), "--format", "nf4"]
    assert main(command) == 0
    loaded = AutoModelForCausalLM.from_pretrained(target)
    layers = [module for module in loaded.modules() if isinstance(module, Linear4bit)]
    assert len(layers) == 7 * finished_run.model.layers


def test_an_nf4_export_names_the_matrices_that_a_cpu_may_misread(
    finished_run, tmp_path, monkeypatch
):
    assert export_run(finished_run.folder, tmp_path / "whole", "nf4") == ()
    monkeypatch.setattr(export, "BLOCK", 96)  # no row of 128 or 256 weights ends with such a block
    ragged = export_run(finished_run.folder, tmp_path / "ragged", "nf4")
    assert set(ragged) == set(linear_weights(finished_run.model))


@pytest.mark.parametrize("what", ["no run", "target exists"])
def test_an_export_that_cannot_work_is_refused(finished_run, tmp_path, capsys, what):
    folder = tmp_path / "nothing" if what == "no run" else finished_run.folder
    target = tmp_path if what == "target exists" else tmp_path / "new"
    assert main(["export", str(folder), "--to", str(target)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
