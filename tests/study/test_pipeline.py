"""Whole studies on the tiny model: the same twice, and stage by stage."""

import json
from pathlib import Path

import torch

from mansu.study.folders import Folders
from mansu.study.pipeline import run_study
from mansu.study.run import Run
from mansu.study.stages import draw, floor, localize, measure_base, train


def numbers(card: dict) -> dict:
    """A scorecard without what may differ between runs: times and memory."""
    return {k: v for k, v in card.items() if k not in ("seconds", "peak_memory_mb", "mansu")}


def stored_card(folder: Path) -> dict:
    return json.loads((folder / "scorecard.json").read_text())


def test_the_scorecard_has_every_part_and_no_unmeasured_number(finished_run):
    card = stored_card(finished_run.folder)
    for role in ("forget", "retain", "utility"):
        for state in ("fp", "nf4", "fp_base", "nf4_base"):
            low, high = card[role][state]["ci"]
            assert low <= card[role][state]["acc"] <= high
            assert card[role][state]["n"] >= 300
    assert set(card["properties"]) == {"forget", "retain", "permanence", "structural"}
    assert card["forget"]["fp_base"]["acc"] > 0.9
    assert set(card["cad"]) == {"fp", "nf4", "noise_floor"}
    assert {"draw", "base", "localize", "fisher", "train", "floor", "quantize"} <= set(
        card["seconds"]
    )
    assert card["peak_memory_mb"] > 0


def test_the_default_floor_survives_exactly_and_harms_no_other_weight(finished_run):
    card = stored_card(finished_run.folder)
    assert card["changed"] > 0
    assert card["survival"] == 1
    assert card["collateral"] == 0


def test_a_second_call_computes_nothing_and_returns_the_same(finished_run):
    files = {p: p.stat().st_mtime_ns for p in finished_run.folder.parent.rglob("*.*")}
    again = Run(finished_run.config, Folders(finished_run.folder, finished_run.shared))
    assert numbers(run_study(again)) == numbers(stored_card(finished_run.folder))
    assert {p: p.stat().st_mtime_ns for p in finished_run.folder.parent.rglob("*.*")} == files


def test_the_same_seed_gives_the_same_scorecard(finished_run, tmp_path):
    again = Run(finished_run.config, Folders(tmp_path / "run", tmp_path / "shared"))
    assert numbers(run_study(again)) == numbers(stored_card(finished_run.folder))


def test_each_stage_runs_alone_and_brings_what_comes_before(tiny_config, tmp_path, finished_run):
    shared = finished_run.shared
    for stage in (draw, measure_base, localize, train, floor):
        run = Run(tiny_config, Folders(tmp_path / stage.__name__, shared))
        assert stage(run) is not None


def test_the_model_is_left_as_it_was(finished_run, tiny):
    for name, weight in tiny.module.state_dict().items():
        assert torch.equal(weight, finished_run.model.module.state_dict()[name])
