"""The memory of every method's training: the plan against measured peaks."""

import copy
from pathlib import Path

import pytest

import mansu.unlearn.refusing
from mansu.models.loading import load_model
from mansu.registry import plugs
from mansu.study import stages
from mansu.study.config import make_config
from mansu.study.folders import Folders
from mansu.study.plan import make_plan
from mansu.study.run import Run
from mansu.study.stages.fisher import measure_fisher
from mansu.unlearn.methods import find_method
from tests.study.plan.live_memory import LiveMemory

WITHIN = 0.15
# Small enough, and enough steps for a method to remember some. Each method takes what it has.
SHORT = {"steps": 4, "validate_every": 2, "epochs": 2, "rank": 32, "fisher_examples": 34}
METHODS = sorted(plugs("mansu.unlearn.methods").keys() - {"mansu", "given"})


@pytest.mark.parametrize("method", METHODS)
def test_every_method_s_training_and_floor_are_within_15_percent_of_the_plan(
    method, random_models, excerpts, tmp_path: Path, monkeypatch
) -> None:
    # Of a model with random weights, LUNAR would say that it refuses nothing.
    monkeypatch.setattr(mansu.unlearn.refusing, "require_refusals", lambda model, known: None)
    fields = find_method(method).settings.__dataclass_fields__
    own = {name: value for name, value in SHORT.items() if name in fields}
    given = {"items": 12, "top_k": 2, "pairs": 4, "ig_steps": 3, "keep": "last", **own}
    config = make_config({**given, **excerpts, "model": random_models["llama"], "method": method})
    run = Run(config, Folders(tmp_path / "run", tmp_path / "shared"))
    plan, module = make_plan(config), run.model.module
    ratios = {}
    with LiveMemory([*module.parameters(), *module.buffers()]) as memory:
        stages.draw(run)
        if "fisher" in find_method(method).needs(config.settings):
            measure_fisher(run)
        for name, stage in (("train", stages.train), ("floor", stages.floor)):
            memory.restart()
            stage(run)
            ratios[name] = plan.peak(name).total / memory.restart()
    assert all(abs(ratio - 1) <= WITHIN for ratio in ratios.values()), ratios


def test_a_checkpoint_that_is_given_is_held_beside_the_model(tmp_path: Path) -> None:
    tiny = load_model("tiny-llama")
    other = copy.deepcopy(tiny.module)
    other.get_decoder().norm.weight.data.mul_(2)
    other.save_pretrained(tmp_path)
    tiny.tokenizer.save_pretrained(tmp_path)
    given = {"model": "tiny-llama", "method": "given", "checkpoint": str(tmp_path)}
    plan = make_plan(make_config({**given, "top_k": 2}))
    weights = sum(p.nbytes for p in tiny.module.parameters())
    assert plan.peak("train").total >= 2 * weights
    assert "fisher" not in {moment.stage for moment in plan.moments}
