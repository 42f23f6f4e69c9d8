"""What a GPU makes of a study, beside what a processor does. Skipped where torch sees none."""

import dataclasses

import pytest
import torch
from transformers import AutoModelForCausalLM

from mansu.circuit import attribute
from mansu.cli import main
from mansu.models import load_model
from mansu.quant import deployed, linear_weights
from mansu.quant.codebook import NF4
from mansu.quant.deployed import load_real_4bit
from mansu.registry import plugs
from mansu.study.config import make_config
from mansu.study.pipeline import run_study
from mansu.study.run import Run
from mansu.study.scorecard import read_scorecard
from mansu.study.stages import draw, floor, judge, localize
from mansu.study.stages.floor import unlearned_model
from tests.conftest import TINY_SETTINGS, run_in
from tests.quant.test_formats import ROUNDING, usable
from tests.study.small_sets import FAST, fitting, options, write_sets

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here")

FAMILIES = ("tiny-llama", "tiny-qwen3", "tiny-gemma3")
METHODS = tuple(name for name in plugs("mansu.unlearn.methods") if name != "given")
ATTACKS = "relearn-lora,benign,prompts,prune"


@pytest.fixture(scope="module")
def on_gpu(tiny_config, once) -> Run:
    """The tiny study that the other tests read, made on a GPU."""
    config = dataclasses.replace(tiny_config, device="cuda")
    return run_in(once("on_gpu", lambda place: run_study(run_in(place, config))), config)


def test_a_study_comes_out_on_a_gpu_as_on_a_processor(on_gpu, finished_run):
    here, there = judge(on_gpu), judge(finished_run)
    assert localize(on_gpu).circuit.layers == localize(finished_run).circuit.layers
    assert [row.metric for row in here.rows] == [row.metric for row in there.rows]
    for one, other in zip(here.rows, there.rows, strict=True):
        if one.metric == "accuracy" and one.origin == "original":
            assert one.value == pytest.approx(other.value, abs=0.026), one  # of 40 questions, one


@pytest.mark.parametrize("name", FAMILIES)
def test_edge_scores_of_every_family_are_a_processor_s(name, finished_run):
    pairs = draw(finished_run).pairs[:6]
    one, other = (attribute(load_model(name, where), pairs, steps=3) for where in ("cuda", "cpu"))
    error = (one.scores.cpu() - other.scores).norm() / other.scores.norm()
    assert error <= 1e-4


@pytest.mark.parametrize("form", ROUNDING)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_format_stores_on_a_gpu_what_it_stores_on_a_processor(form, dtype):
    # Up to where the libraries' own kernels part: a scale's last bit, a weight between two codes.
    usable(form)
    stored = []
    for device in ("cuda", "cpu"):
        model = load_model("tiny-llama", device, dtype)
        with deployed(model, form):
            weights = linear_weights(model).values()
            stored.append(torch.cat([w.cpu().float().flatten() for w in weights]))
    apart = (stored[0] - stored[1]).abs() > 1e-5 * stored[1].abs()
    assert apart.double().mean() <= 0.005


@pytest.mark.parametrize("target", ["nf4", "fp4", "nf4,fp4"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_every_update_survives_in_every_format_that_training_aimed_at(target, dtype, tmp_path):
    values = {**FAST, **write_sets(tmp_path, 16), "target": target, "formats": target, "steps": 6}
    run = run_in(tmp_path / "runs", make_config({**values, "device": "cuda", "dtype": dtype}))
    account = floor(run).account
    assert account.total.changed > 0
    assert account.total.survived == account.total.changed
    assert account.total.collateral == 0


def test_a_run_of_a_gpu_is_judged_shown_and_exported_without_one(on_gpu, tmp_path, capsys):
    config = dataclasses.replace(on_gpu.config, device="cpu")
    before = {p: p.stat().st_mtime_ns for p in on_gpu.folder.rglob("*.safetensors")}
    run_study(run_in(on_gpu.folder.parent, config))
    assert {p: p.stat().st_mtime_ns for p in on_gpu.folder.rglob("*.safetensors")} == before
    assert main(["export", str(on_gpu.folder), "--to", str(tmp_path / "new")]) == 0
    exported = load_model(str(tmp_path / "new")).module.state_dict()
    with unlearned_model(on_gpu):
        for name, weight in on_gpu.model.module.state_dict().items():
            assert torch.equal(exported[name], weight.cpu()), name


def assert_close(found: torch.Tensor, expected: torch.Tensor) -> None:
    """As near as a processor's kernels come to one another (tests/quant/test_deployed.py)."""
    assert (found - expected).norm() / expected.norm() < 0.03


def test_the_deployed_model_says_what_real_four_bit_layers_say_on_a_gpu(on_gpu, tmp_path):
    assert main(["export", str(on_gpu.folder), "--to", str(tmp_path / "new")]) == 0
    real = load_real_4bit(tmp_path / "new", torch.float32, NF4).to("cuda")  # pyright: ignore
    tokens = torch.arange(2, 34, device="cuda").view(2, 16)
    with unlearned_model(on_gpu), deployed(on_gpu.model, "nf4"), torch.no_grad():
        assert_close(real(tokens).logits, on_gpu.model.module(tokens).logits)


def test_an_nf4_export_made_on_a_gpu_loads_on_one(on_gpu, tmp_path):
    command = ["export", str(on_gpu.folder), "--to", str(tmp_path / "new"), "--format", "nf4"]
    assert main([*command, "--device", "cuda"]) == 0
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "new", device_map="cuda")
    tokens = torch.arange(2, 34, device="cuda").view(2, 16)
    with unlearned_model(on_gpu), deployed(on_gpu.model, "nf4"), torch.no_grad():
        assert_close(loaded(tokens).logits.float(), on_gpu.model.module(tokens).logits)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_runs_in_bfloat16_with_every_attack(name, tmp_path):
    values = {**TINY_SETTINGS, "model": name, "steps": 4, "items": 16, "formats": "nf4,int8"}
    values |= {"device": "cuda", "dtype": "bfloat16", "attacks": ATTACKS}
    run_study(run_in(tmp_path / "runs", make_config(values)))
    card = read_scorecard(tmp_path / "runs" / "run" / "scorecard.json")
    assert card
    assert {row.format for row in card.rows} >= {"fp", "nf4", "int8"}


@pytest.mark.parametrize("method", METHODS)
def test_every_method_ends_with_a_scorecard(method, tmp_path):
    values = {**FAST, **write_sets(tmp_path, 16), "items": 16, "method": method}
    values |= {"device": "cuda", "dtype": "bfloat16"}
    assert main(["run", *options(fitting(values)), f"--out={tmp_path / 'run'}"]) == 0
    assert read_scorecard(tmp_path / "run" / "scorecard.json")
