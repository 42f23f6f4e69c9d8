"""The memory plan against what a GPU's allocator saw. Skipped where torch sees none."""

import dataclasses

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from mansu.study.config import make_config
from mansu.study.plan import make_plan
from mansu.study.stages import draw, localize
from tests.conftest import run_in
from tests.study.plan.conftest import WIDE
from tests.study.plan.test_plan import SHORT, STAGES, WITHIN

# Half a billion weights: what a kernel takes for itself is small beside them.
LARGE = {
    **WIDE,
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_hidden_layers": 8,
    "num_attention_heads": 16,
    "num_key_value_heads": 4,
    "head_dim": 128,
    "tie_word_embeddings": False,
}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here")
@pytest.mark.parametrize("floor", ["in_loop", "boundary"])
def test_every_stages_peak_on_a_gpu_is_within_15_percent_of_the_plan(
    floor, tiny, excerpts, tmp_path
):
    shape = AutoConfig.for_model("llama", vocab_size=len(tiny.tokenizer), **LARGE)
    AutoModelForCausalLM.from_config(shape, dtype=torch.bfloat16).save_pretrained(
        tmp_path / "large"
    )
    tiny.tokenizer.save_pretrained(tmp_path / "large")
    values = {**SHORT, **excerpts, "model": str(tmp_path / "large"), "floor": floor}
    config = make_config({**values, "device": "cuda", "dtype": "bfloat16"})
    run, measured = run_in(tmp_path / "runs", config), {}
    draw(run)
    for name, stage in STAGES.items():
        torch.cuda.reset_peak_memory_stats()
        stage(run)
        measured[name] = torch.cuda.max_memory_allocated()
    plan = make_plan(
        dataclasses.replace(config, attacks=("relearn",)), localize(run).circuit.layers
    )
    ratios = {name: plan.peak(name).device / peak for name, peak in measured.items()}
    print({name: f"{measured[name] / 1e6:.0f} MB, {ratio:.2f}" for name, ratio in ratios.items()})
    assert all(abs(ratio - 1) <= WITHIN for ratio in ratios.values()), ratios
