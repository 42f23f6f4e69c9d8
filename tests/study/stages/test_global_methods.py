"""The methods that train all blocks, through the same stages as the circuit's own."""

import pytest
import torch

from mansu.cli import main
from mansu.study.config import SETS, defaults, make_config
from mansu.study.folders import Folders, variant
from mansu.study.run import Run
from mansu.study.stages import floor, train
from mansu.study.stages.fisher import trainable_weights
from mansu.study.stages.train import find_movable
from tests.conftest import TINY_SETTINGS

SHARED = ("model", *SETS, "items", "top_k", "pairs", "validate_every")
QUICK = {name: TINY_SETTINGS[name] for name in SHARED}


@pytest.fixture(scope="module", params=["ga", "npo"])
def finished(request, finished_run, tmp_path_factory) -> Run:
    own = {"steps": 8, "learning_rate": 2e-4, "keep": "last"}
    values = {**QUICK, "method": request.param, "settings": own}
    folder = tmp_path_factory.mktemp(request.param)
    run = Run(make_config(values), Folders(folder, finished_run.shared), model=finished_run.model)
    floor(run)
    return run


def test_a_global_method_changes_nearly_every_weight_that_is_quantized_and_no_other(finished):
    found = floor(finished)
    model = finished.model
    assert set(found.index) == set(model.family.linear_weight_names(model.module))
    total = found.account.total
    assert total.changed > 0.99 * total.size
    before = trainable_weights(finished)
    assert all(not torch.equal(before[n], w) for n, w in found.matrices(before).items())


def test_a_method_told_to_keeps_its_last_step_whatever_it_did_to_the_rest(finished):
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
    sizes = [*find_movable(again).sizes.values()]
    assert sizes == [weight.numel() for weight in before.values()]
    stored = (finished.folder / "trained.safetensors").stat().st_size
    assert stored < 1.2 * 4 * sum(sizes)  # the values, and hardly more


def test_the_help_of_a_method_lists_its_own_settings_and_no_other_s(capsys):
    said = {}
    for method in ("ga", "mansu"):
        with pytest.raises(SystemExit):
            main(["run", "--method", method, "--help"])
        said[method] = " ".join(capsys.readouterr().out.split())
    assert "settings of ga" in said["ga"]
    assert "--learning-rate FLOAT AdamW's learning rate (default: 2e-05)" in said["ga"]
    assert "magnitude floor" in said["ga"]
    assert "--tau" in said["mansu"]
    assert "--tau" not in said["ga"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--method", "ga", "--tau", "0.5"], "tau: ga has no such setting; it has"),
        (["--method", "ga", "--set", "tau=0.5"], "tau: ga has no such setting; it has"),
        (["--set", "steps"], "give NAME=VALUE"),
        (["--set", "=3"], "give NAME=VALUE"),
        (["--set", "steps=many"], "steps: input should be a valid integer"),
        (["--rho", "0.2", "--floor", "none"], "rho: nothing reads it unless floor is in_loop"),
        (["--set", "beta=0.2"], "beta: nothing reads it unless forget_loss is npo or npo_sum"),
        (["--attribution", "eap", "--ig-steps", "3"], "ig_steps: nothing reads it unless attr"),
        (
            ["--method", "npo", "--set", "retain_weight=0", "--set", "retain_batch=2"],
            "retain_batch",
        ),
    ],
)
def test_a_setting_that_nothing_reads_ends_the_command_before_any_work(words, told, capsys):
    assert main(["run", "--model", "tiny-llama", "--top-k", "2", *words]) == 2
    assert told in capsys.readouterr().err


def test_a_variant_is_named_by_what_differs_from_the_method_s_own_defaults():
    assert variant(defaults("ga")) == "ga"
    assert variant(make_config({"method": "npo", "steps": 7})) == "npo-steps=7"


def test_a_plan_of_a_global_method_counts_every_matrix_of_the_blocks(capsys, tiny):
    assert main(["plan", "--model", "tiny-llama", "--top-k", "2", "--method", "ga"]) == 0
    names = tiny.family.linear_weight_names(tiny.module)
    weights = sum(tiny.module.get_parameter(name).numel() for name in names)
    said = capsys.readouterr().out
    told = f"its matrices, in {tiny.layers} of {tiny.layers} layers, hold {weights:,} weights"
    assert told in " ".join(said.split())
