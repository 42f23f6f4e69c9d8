"""The methods that train all blocks, through the same stages as the circuit's own."""

import dataclasses

import pytest
import torch

from mansu.cli import main
from mansu.errors import InputError
from mansu.study.config import SETS, defaults, make_config
from mansu.study.folders import Folders, variant
from mansu.study.pipeline import run_study
from mansu.study.run import Run
from mansu.study.stages import floor, train
from mansu.study.stages.fisher import find_movable, trainable_weights
from tests.conftest import TINY_SETTINGS

SHARED = ("model", *SETS, "items", "top_k", "pairs", "validate_every")
QUICK = {name: TINY_SETTINGS[name] for name in SHARED}


@pytest.fixture(scope="module", params=["ga", "npo"])
def finished(request, finished_run, tmp_path_factory) -> Run:
    values = {**QUICK, "method": request.param, "steps": 8, "learning_rate": 2e-4}
    folder = tmp_path_factory.mktemp(request.param)
    run = Run(make_config(values), Folders(folder, finished_run.shared), model=finished_run.model)
    run_study(run)
    return run


def test_a_global_method_changes_nearly_every_weight_that_is_quantized_and_no_other(finished):
    found = floor(finished)
    model = finished.model
    assert set(found.index) == set(model.family.linear_weight_names(model.module))
    total = found.account.total
    assert total.changed > 0.99 * total.size
    before = trainable_weights(finished)
    assert all(not torch.equal(before[n], w) for n, w in found.matrices(before).items())


def test_a_global_method_keeps_its_last_step_whatever_it_did_to_the_rest(finished):
    trained = train(finished)
    assert trained.best is trained.validations[-1]
    assert trained.best.step == 8 == len(trained.history)


def test_a_checkpoint_of_all_weights_is_read_back_as_it_was_written(finished):
    again = Run(finished.config, Folders(finished.folder, finished.shared), model=finished.model)
    before = trainable_weights(finished)
    for stage in (train, floor):
        written, read = stage(finished).matrices(before), stage(again).matrices(before)
        assert all(torch.equal(read[name], weight) for name, weight in written.items())
    assert floor(again).account == floor(finished).account
    sizes = [index.numel() for index in find_movable(again).index.values()]
    assert sizes == [weight.numel() for weight in before.values()]
    stored = (finished.folder / "trained.safetensors").stat().st_size
    assert stored < 1.2 * 4 * sum(sizes)  # the values, and hardly more


def test_the_command_line_takes_the_method_s_own_defaults(capsys):
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "With --method ga: forget_loss gradient_ascent, wordings 0, retain_weight 0.0" in said


def test_a_variant_is_named_by_what_differs_from_the_method_s_own_defaults():
    assert variant(defaults("ga")) == "ga"
    assert variant(make_config({"method": "npo", "steps": 7})) == "npo-steps=7"


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"method": "ga", "forget_loss": "npo"}, "cannot have forget_loss as given"),
        ({"method": "npo", "floor": "in_loop"}, "cannot have floor as given"),
        (dataclasses.asdict(make_config({})) | {"method": "ga"}, "forget_loss and floor"),
    ],
)
def test_a_method_with_another_one_s_settings_is_refused_and_told_its_own(values, named):
    with pytest.raises(InputError, match=named) as refused:
        make_config(values)
    assert "floor: none" in str(refused.value)


def test_a_plan_of_a_global_method_is_refused(capsys):
    assert main(["plan", "--model", "tiny-llama", "--top-k", "2", "--method", "ga"]) == 2
    assert "not for ga" in capsys.readouterr().err
