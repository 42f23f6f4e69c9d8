"""The methods as a run calls them, for a few steps, on tiny models of every family."""

import pytest
import torch

from mansu.data import refusals as questions
from mansu.models.names import layer_of
from mansu.study.config import make_config
from mansu.study.folders import Folders
from mansu.study.run import Run
from mansu.study.stages.fisher import trainable_weights
from mansu.study.stages.train import task_of, train
from mansu.unlearn import refusing
from mansu.unlearn.methods import find_method
from tests.conftest import TINY_SETTINGS

BLOCKS = {"surgical-ga": {1, 2}, "rmu": {0}, "lunar": {2}}  # of four
METHODS = ("graddiff", "surgical-ga", "npo-mean", "simnpo", "rmu", "lunar")
SETS = ("forget", "retain", "utility")


def open_run(folders, model, method, **changes):
    length = {"epochs": 2, "batch": 512} if method == "lunar" else {"steps": 2}
    values = {name: TINY_SETTINGS[name] for name in SETS}
    values |= {"model": model.name, "items": 8, "pairs": 2, "top_k": 2, "method": method}
    config = make_config({**values, **length, "validate_every": 2, **changes})
    return Run(config, folders, model=model)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    return tmp_path_factory.mktemp("shared")


@pytest.mark.parametrize("method", METHODS)
def test_every_method_trains_its_own_matrices_on_every_family(
    method, each_tiny, shared, tmp_path, monkeypatch
):
    # Tiny models do not refuse, which ends LUNAR; what it does beyond that is tried all the same.
    monkeypatch.setattr(refusing, "require_refusals", lambda *given: None)
    run = open_run(Folders(tmp_path, shared / each_tiny.name), each_tiny, method, keep="last")
    update = find_method(method).unlearn(task_of(run), run.config.settings)
    before = trainable_weights(run)
    blocks = {layer_of(name) for name in before}
    assert blocks == BLOCKS.get(method, {0, 1, 2, 3})
    assert [record.step for record in update.history] == [1, 2]
    assert all(
        torch.tensor([r.forget, r.retain, r.gradient_norm]).isfinite().all() for r in update.history
    )
    assert update.best is update.validations[-1]
    after = update.matrices(before)
    assert after.keys() == before.keys()
    assert all(not torch.equal(after[name], weight) for name, weight in before.items())
    # θ₀ is as it was: there is no second copy of the model to train on.
    assert all(
        each_tiny.module.get_parameter(n).data_ptr() == w.data_ptr() for n, w in before.items()
    )


@pytest.mark.parametrize("method", METHODS)
def test_no_method_asks_for_more_than_it_needs(method):
    found = find_method(method)
    assert found.needs(found.settings()) == set()
    assert bool(found.reads(found.settings())) == (method == "lunar")
    assert not found.scope(found.settings()).on_circuit


def test_another_file_of_questions_is_another_training(tiny, tmp_path, monkeypatch):
    def key(method):
        return train.key(open_run(Folders(tmp_path / method, tmp_path / "shared"), tiny, method))

    was = {method: key(method) for method in ("lunar", "simnpo")}
    (tmp_path / "refusals.txt").write_text("Who is Ulm Vantreek?\tWho is Napoleon?\n")
    monkeypatch.setattr(questions, "require_data_folder", lambda: tmp_path)
    assert key("lunar") != was["lunar"]
    assert key("simnpo") == was["simnpo"]


def test_every_method_has_a_colour_and_a_title_of_its_own():
    looks = [(find_method(m).colour, find_method(m).title) for m in METHODS]
    assert len({colour for colour, _ in looks}) == len({title for _, title in looks}) == 6
