"""The memory plan against measured peaks, stage by stage."""

import dataclasses
import importlib
from collections.abc import Callable
from pathlib import Path

import pytest

from mansu.cli import main
from mansu.data.encoding import encode
from mansu.data.facts import load_fact_set
from mansu.data.text import utility_text
from mansu.errors import InputError
from mansu.metrics.speech import listen
from mansu.study import stages
from mansu.study.config import make_config
from mansu.study.folders import Folders
from mansu.study.plan import make_plan, plan_table
from mansu.study.plan.workload import Pieces
from mansu.study.run import Run
from mansu.study.stages.attack import attack
from mansu.study.stages.fisher import measure_fisher
from mansu.study.state import states
from tests.models.real_configs import real_config
from tests.study.plan.live_memory import LiveMemory

WITHIN = 0.15


def measure_states(origin: str) -> Callable[[Run], object]:
    """Measures all states of one origin."""
    return lambda run: stages.measure_all(
        run, tuple(state for state in states(run) if state.origin == origin)
    )


STAGES = {
    "base": measure_states("original"),
    "localize": stages.localize,
    "fisher": measure_fisher,
    "train": stages.train,
    "floor": stages.floor,
    "quantize": measure_states("unlearned"),
    "analyse": stages.judge,
    "relearn": lambda run: attack(run, "relearn", "unlearned", "nf4", "0.0001"),
}
SHORT = {
    "items": 12,
    "top_k": 2,
    "pairs": 4,
    "ig_steps": 3,
    "fisher_examples": 34,
    "steps": 2,
    "validate_every": 2,
    "learning_rate": 0.02,
}


def measured_peaks(run: Run) -> dict[str, int]:
    """The most bytes of live tensors during each stage."""
    module = run.model.module
    peaks = {}
    with LiveMemory([*module.parameters(), *module.buffers()]) as memory:
        stages.draw(run)
        for name, stage in STAGES.items():
            memory.restart()
            stage(run)
            peaks[name] = memory.restart()
    return peaks


@pytest.mark.parametrize(
    ("model", "floor"),
    [
        ("tiny-llama", "in_loop"),
        ("tiny-llama", "boundary"),
        ("llama", "in_loop"),
        ("gemma3_text", "in_loop"),
    ],
)
def test_every_stages_peak_is_within_15_percent_of_the_plan(
    model, floor, random_models, excerpts, tmp_path, monkeypatch
):
    for module, name, value in (
        ("mansu.study.stages.measure", "utility_text", lambda: utility_text()[:750]),
        ("mansu.study.plan.workload", "utility_text", lambda: utility_text()[:750]),
    ):
        monkeypatch.setattr(importlib.import_module(module), name, value)
    named = {"model": random_models.get(model, model), "floor": floor}
    config = make_config({**SHORT, **excerpts, **named})
    run = Run(config, Folders(tmp_path / "run", tmp_path / "shared"))
    measured = measured_peaks(run)
    asked = dataclasses.replace(config, attacks=("relearn",))
    plan = make_plan(asked, stages.localize(run).circuit.layers)
    ratios = {name: plan.peak(name).total / peak for name, peak in measured.items()}
    print({name: f"{measured[name] / 1e6:.1f} MB, {ratio:.3f}" for name, ratio in ratios.items()})
    assert all(abs(ratio - 1) <= WITHIN for ratio in ratios.values()), ratios


@pytest.mark.parametrize("model", ["tiny-llama", "tiny-qwen3", "tiny-gemma3"])
def test_what_is_said_to_open_prompts_holds_what_the_plan_says(model, excerpts, tmp_path):
    config = make_config({**SHORT, **excerpts, "model": model, "items": 60})
    plan = make_plan(config, (2, 3))
    run = Run(config, Folders(tmp_path / "run", tmp_path / "shared"))
    drawn, module = stages.draw(run), run.model.module
    with LiveMemory([*module.parameters(), *module.buffers()]) as memory:
        before = memory.now
        listen(run.model, drawn.items["open"], drawn.kinds)
        measured = memory.peak - before
    work = plan.workload
    planned = max(plan.shapes.speech(batch, work.spoken_templates) for batch in work.spoken)
    assert planned == pytest.approx(measured, rel=WITHIN)


def config_folder(name: str, folder: Path) -> str:
    """A folder that holds a real model's configuration and nothing else."""
    real_config(name).save_pretrained(folder)
    return str(folder)


def test_an_8b_model_needs_at_most_48_gb_on_the_device(tmp_path):
    folder = config_folder("Llama-3.1-8B-Instruct", tmp_path)
    plan = make_plan(make_config({"model": folder, "dtype": "bfloat16", "device": "cuda"}))
    assert plan.shapes.weights == 2 * 8_030_261_248
    assert 30e9 < plan.peak().device <= 48e9
    assert plan.shapes.layers[0] == 0


def test_the_unknown_circuit_is_the_worst_case():
    config = make_config({**SHORT, "model": "tiny-llama", "device": "cuda"})
    worst = make_plan(config).peak().device
    for layers in [(0, 1), (0, 3), (1, 2), (2, 3)]:
        assert make_plan(config, layers).peak().device <= worst


@pytest.mark.parametrize(
    ("stage", "field", "less", "more"),
    [
        ("base", "items", 2, 400),
        ("train", "top_k", 1, 4),
        ("train", "rho", 0.01, 1.0),
        ("train", "forget_batch", 4, 64),
        ("train", "retain_batch", 4, 64),
        ("localize", "memory_mb", 64, 2048),
        ("train", "dtype", "bfloat16", "float32"),
        ("fisher", "fisher_examples", 16, 400),
    ],
)
def test_the_plan_follows_the_configuration(stage, field, less, more):
    base = {"model": "tiny-llama", "device": "cuda", "top_k": 4, "pairs": 48, "ig_steps": 50}
    few, many = (
        make_plan(make_config(base | {field: value})).peak(stage).device for value in (less, more)
    )
    assert few < many


def test_plain_training_has_a_master_for_every_weight_up_to_tau():
    base = {"model": "tiny-llama", "top_k": 4}
    in_loop, few, many = (
        make_plan(make_config(base | changed)).peak("train").terms["optimizer"]
        for changed in ({}, {"floor": "paper", "tau": 0.1}, {"floor": "paper", "tau": 1.0})
    )
    assert in_loop < few
    assert many == pytest.approx(10 * few, rel=1e-3)


def test_the_table_states_its_assumptions(capsys, tmp_path):
    folder = config_folder("Qwen2.5-3B", tmp_path)
    arguments = ["plan", "--model", folder, "--dtype", "bfloat16", "--device", "cuda"]
    assert main(arguments) == 0
    text = " ".join(capsys.readouterr().out.split())
    for told in ("not measured on a GPU", "GB = 10^9 bytes", "no tokenizer is at hand"):
        assert told in text
    assert all(stage in text for stage in STAGES if stage != "relearn")
    assert "relearn" not in text
    assert "the worst case" in text


def test_a_known_circuit_and_a_tokenizer_are_said(tiny_config):
    text = " ".join(plan_table(make_plan(tiny_config, (1, 2))).split())
    assert "counted with the model's tokenizer" in text
    assert "layers 1, 2." in text


def test_a_circuit_larger_than_the_model_is_refused():
    with pytest.raises(InputError, match="top_k"):
        make_plan(make_config({"model": "tiny-llama", "top_k": 9}))


def test_pieces_keep_a_prompts_tokens_when_it_is_continued():
    facts = load_fact_set("elements")
    for fact in facts.facts[:20]:
        for template in facts.templates:
            prompt = template.render(fact)
            encoded = encode(Pieces(32000), prompt, f" {fact.answer}")  # pyright: ignore
            whole = Pieces(32000)(f"{prompt} {fact.answer}")["input_ids"]
            assert whole[: len(encoded.prompt_ids)] == list(encoded.prompt_ids)
            assert encoded.continuation_ids
