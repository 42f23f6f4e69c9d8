"""Every rival and ablation through its real task, on a model of every family; and killed."""

import copy
import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from mansu.models import LanguageModel
from mansu.models.names import layer_of, projection_of
from mansu.study.config import make_config
from mansu.study.folders import Folders
from mansu.study.run import Run
from mansu.study.stages.train import task_of, train
from mansu.unlearn.checkpoint import Validation
from mansu.unlearn.methods import find_method
from mansu.unlearn.task import Task, Update
from tests.conftest import TINY_SETTINGS

RIVALS = {
    "gu": {"history": 2},
    "gu-cone": {"history": 2, "forget_weight": 1e4},  # so that there is something to hold
    "sure": {"mask_examples": 16},
    "lora": {"rank": 4, "alpha": 8.0},
    "ste": {},
    "quail": {},
    "mansu-global": {"fisher_examples": 8, "forget_loss": "npo"},
}
STEPS = {
    **{name: TINY_SETTINGS[name] for name in ("forget", "retain", "utility", "top_k", "pairs")},
    "items": 8,
    "steps": 4,
    "forget_batch": 4,
    "retain_batch": 2,
    "validate_every": 2,
    "learning_rate": 2e-3,
    "keep": "last",
}


def run_of(name: str, model: LanguageModel, place: Path, **changes: object) -> Run:
    values = {**STEPS, "model": model.name, "method": name, **RIVALS[name], **changes}
    return Run(make_config(values), Folders(place / name, place / "shared"), model=model)


def unlearn(run: Run, task: Task | None = None) -> Update:
    return find_method(run.config.method).unlearn(task or task_of(run), run.config.settings)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("rivals")


@pytest.mark.parametrize("name", RIVALS)
def test_a_rival_moves_its_own_weights_and_no_others_on_every_family(each_tiny, place, name):
    run = run_of(name, each_tiny, place / each_tiny.name, validate_every=4)
    task, before = task_of(run), {n: p.clone() for n, p in each_tiny.module.named_parameters()}
    found = unlearn(run, task)
    assert all(torch.equal(before[n], p) for n, p in each_tiny.module.named_parameters())
    assert [record.step for record in found.history] == [1, 2, 3, 4]
    assert found.best is found.validations[-1]
    matrices = found.matrices(task.weights)
    moved = {n for n, weight in matrices.items() if not torch.equal(weight, task.weights[n])}
    assert all(weight.isfinite().all() for weight in matrices.values())
    linear = each_tiny.family.linear_weight_names(each_tiny.module)
    if name == "gu-cone":
        assert {(layer_of(n), projection_of(n)) for n in moved} == {
            (each_tiny.layers - 1, "down_proj")
        }
    elif name in ("sure", "mansu-global"):
        assert moved
        assert moved <= set(found.index) <= set(linear)
    else:
        assert moved == set(linear)


class Noted:
    """A diary that keeps states, and dies after the first where it is told to."""

    def __init__(self, resumed: Any = None, dies: bool = False) -> None:
        self.resumed, self._dies = resumed, dies

    def check(self, trained, step):
        return Validation(step, 0.5, 0.0, 0.5, 0.5, 0.0)

    def save(self, progress):
        if self._dies:
            self.resumed = copy.deepcopy(progress)
            raise KeyboardInterrupt

    def note(self, record, steps):
        pass


@pytest.mark.parametrize("name", RIVALS)
def test_a_killed_rival_ends_exactly_where_an_uninterrupted_one_does(tiny, place, name):
    run = run_of(name, tiny, place / "killed")
    task, killed = task_of(run), Noted(dies=True)
    whole = unlearn(run, dataclasses.replace(task, diary=Noted()))
    with pytest.raises(KeyboardInterrupt):
        unlearn(run, dataclasses.replace(task, diary=killed))
    assert killed.resumed.step == 2
    assert bool(killed.resumed.beside) == name.startswith("gu")
    forgetful = dataclasses.replace(copy.deepcopy(killed.resumed), beside={})
    # Of gu-cone's history that depends on the processor: a step inside the cone needs none.
    remembers = name == "gu"
    found = unlearn(run, dataclasses.replace(task, diary=Noted(killed.resumed)))
    assert found.history == whole.history
    assert all(torch.equal(found.values[n], values) for n, values in whole.values.items())
    if remembers:  # and what is remembered decides something
        other = unlearn(run, dataclasses.replace(task, diary=Noted(forgetful)))
        assert any(not torch.equal(other.values[n], v) for n, v in whole.values.items())


def test_the_cone_can_be_put_on_the_circuit_s_weights(tiny, place):
    run = run_of("gu-cone", tiny, place / "circuit", matrices="circuit")
    task = task_of(run)
    assert len({layer_of(name) for name in task.weights}) == TINY_SETTINGS["top_k"]
    assert {projection_of(n) for n in task.weights} == {"gate_proj", "up_proj", "down_proj"}


@pytest.mark.parametrize("name", ["ste", "quail"])
def test_another_target_is_another_training_for_what_aims_at_it(tiny, place, name):
    keys = {
        target: train.key(run_of(name, tiny, place / "targets", target=target, formats=("nf4",)))
        for target in ("nf4", "fp4")
    }
    assert len(set(keys.values())) == 2
