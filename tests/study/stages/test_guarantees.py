"""The guarantees of whole runs of the tiny model: stored, reproducible, and consistent."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from mansu.study.config import make_config
from mansu.study.folders import Folders
from mansu.study.readings import claims
from mansu.study.run import Run
from mansu.study.stages import floor, measure_guarantees, train
from mansu.study.stages.fisher import trainable_weights
from mansu.study.stages.guarantees import Guarantees
from mansu.study.stages.sharpness import EXAMPLES


def run_with(finished_run: Run, folder: Path, trained: Run | None = None, **changes) -> Run:
    """A run of its own that shares what does not depend on the method, and a finished training."""
    config = make_config(dataclasses.asdict(finished_run.config) | changes)
    shared = folder.parent / "shared"  # a copy, for θ₀'s sharpness is written there
    if not shared.exists():
        shutil.copytree(finished_run.shared, shared)
    run = Run(config, Folders(folder, shared))
    run.open()
    if trained is not None:
        shutil.copy(trained.folder / "trained.safetensors", folder)
    return run


@pytest.fixture(scope="session")
def made(finished_run, tmp_path_factory) -> dict[str, tuple[Run, Guarantees]]:
    """Runs under every floor, with their guarantees."""
    folder = tmp_path_factory.mktemp("guarantees")
    plain = run_with(finished_run, folder / "none", floor="none")
    train(plain)
    runs = {"in_loop": run_with(finished_run, folder / "in_loop", finished_run), "none": plain}
    for kind in ("paper", "boundary"):
        runs[kind] = run_with(finished_run, folder / kind, plain, floor=kind)
    return {kind: (run, measure_guarantees(run)) for kind, run in runs.items()}


def test_they_are_computed_once_and_the_same_again(made, finished_run, tmp_path):
    run, found = made["in_loop"]
    path = run.folder / "guarantees.json"
    before = path.stat().st_mtime_ns
    again = Run(run.config, Folders(run.folder, run.shared))
    assert measure_guarantees(again) == found
    assert path.stat().st_mtime_ns == before
    elsewhere = run_with(finished_run, tmp_path / "other", finished_run)
    assert measure_guarantees(elsewhere) == found


def test_reading_computes_nothing(made, finished_run, tmp_path):
    run, found = made["in_loop"]
    assert measure_guarantees.read(Run(run.config, Folders(run.folder, run.shared))) == found
    assert measure_guarantees.read(run_with(finished_run, tmp_path / "other", finished_run)) is None


@pytest.mark.parametrize("kind", ["in_loop", "paper", "boundary"])
def test_refloored_updates_are_as_long_as_those_that_the_bound_is_measured_on(made, kind):
    from mansu.lab.dashboards.updates import Updates

    run, found = made[kind]
    originals = trainable_weights(run)
    updates = Updates(originals, train(run).matrices(originals), run.codebook)
    assert updates.refloor(None).length == pytest.approx(found.before.cost.delta_norm)
    assert updates.refloor(kind).length == pytest.approx(found.after.cost.delta_norm)


def test_a_damaged_result_is_computed_again(made):
    run, found = made["boundary"]
    path = run.folder / "guarantees.json"
    path.write_text(path.read_text("utf-8")[:200], "utf-8")
    assert measure_guarantees(Run(run.config, Folders(run.folder, run.shared))) == found
    assert json.loads(path.read_text("utf-8"))["examples"] == EXAMPLES


@pytest.mark.parametrize("kind", ["in_loop", "paper", "boundary", "none"])
def test_the_numbers_belong_to_the_run(made, kind):
    run, found = made[kind]
    changed = sum(index.numel() for index in floor(run).index.values())
    sizes = {cap.name: cap.weights for cap in found.caps}
    assert sizes["changed weights"] == changed == found.after.crossings.changed > 0
    assert sizes["movable weights"] == sum(i.numel() for i in train(run).index.values())
    assert sizes["circuit"] == found.circuit.weights < found.whole.weights == sizes["whole model"]
    assert found.before.cost.loss_before == found.after.cost.loss_before > 0
    assert found.circuit.at_most(found.whole) == (True, True)
    for update in (found.before, found.after):
        assert update.crossings.unexplained == 0
        assert update.forms.full >= update.cost.slope**2 * (1 - 1e-6)  # a mean square, and a mean


def test_a_floor_that_does_nothing_leaves_both_updates_the_same(made):
    _, found = made["none"]
    assert found.before == found.after
    assert "as it was" in claims.floor_effect(found)
    assert not any("after the floor" in claim.name for claim in claims.bin_claims(found))


@pytest.mark.parametrize("kind", ["in_loop", "boundary"])
def test_the_exact_floors_leave_lemma_1_without_exception(made, kind):
    assert made[kind][1].after.crossings.exceptions == 0


def test_the_published_floor_moves_every_weight_by_a_bin_or_has_no_boundary(made):
    crossings = made["paper"][1].after.crossings
    assert crossings.premise > 0.9 * crossings.changed
    assert crossings.exceptions == crossings.outward + crossings.moved + crossings.rounding


def test_the_plain_updates_are_the_same_before_every_floor(made):
    costs = [made[kind][1].before.cost for kind in ("paper", "boundary", "none")]
    assert costs[0] == costs[1] == costs[2]


def test_a_training_that_kept_nothing_has_nothing_to_check(finished_run, tmp_path):
    # Steps so large that every check loses the retain set: the original weights stay.
    run = run_with(finished_run, tmp_path / "lost", learning_rate=1.0, steps=4, floor="none")
    assert train(run).best is None
    found = measure_guarantees(run)
    assert found.after.cost.delta_norm == found.after.cost.measured == 0
    assert "changed weights" not in {cap.name for cap in found.caps}
    told = {c.name: c.holds for c in [*claims.retain_claims(found), *claims.fisher_claims(found)]}
    assert sorted(map(str, told.values())) == ["None", "None", "True"]
    assert "moved nothing" in claims.floor_effect(found)
