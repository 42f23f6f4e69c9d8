"""Whole studies on the tiny model: the same twice, and stage by stage."""

import dataclasses
import importlib.metadata
import json
import shutil
from pathlib import Path

import pytest
import torch

from mansu.study.folders import Folders
from mansu.study.pipeline import run_study
from mansu.study.rules import RULE_NAMES
from mansu.study.run import Run
from mansu.study.scorecard import SCHEMA, Scorecard, read_scorecard
from mansu.study.stages import draw, floor, judge, localize, measure, train
from mansu.study.state import State, states
from tests.conftest import numbers

ORIGINAL = State("original", "fp")
# What is computed on the way to a scorecard, as its times call it.
COSTED = {
    *("items", "scores", "circuit", "fisher", "target", "trained", "delta"),
    *(f"{stage} {origin}-{form}" for stage in ("behaviour", "attribution", "depth")
      for origin in ("original", "unlearned") for form in ("fp", "nf4")),
    *("carried original-fp", "carried original-nf4"),
}  # fmt: skip


@pytest.fixture(scope="module")
def card(finished_run: Run) -> Scorecard:
    found = read_scorecard(finished_run.folder / "scorecard.json")
    assert found is not None
    return found


def test_the_scorecard_has_every_part_and_no_unmeasured_number(finished_run, card):
    rows = card.rows
    assert rows.states == states(finished_run)
    for role in (("forget", "seen"), ("retain", "all"), ("utility", "all")):
        for state in rows.states:
            found = rows.at(*role, "accuracy", state, "value")
            assert found.low <= found.value <= found.high
            assert found.n == finished_run.config.items
    assert tuple(verdict.name for verdict in card.verdicts) == RULE_NAMES
    assert rows.at("forget", "seen", "accuracy", ORIGINAL, "value").value > 0.9
    cads = rows.where(metric="cad")
    assert {(str(row.state), row.kind) for row in cads} == {
        *(("unlearned-fp", "change"), ("unlearned-nf4", "change"), ("original-nf4", "gap"))
    }
    assert all(row.value is not None for row in rows)
    assert card.peak_memory_mb > 0


def test_no_two_rows_have_the_same_address(card):
    places = [(r.set, r.view, r.metric, r.state, r.kind) for r in card.rows]
    assert len(places) == len(set(places))


def test_the_times_name_every_stage_of_the_run_and_no_other(card):
    assert set(card.seconds) == COSTED
    assert all(seconds >= 0 for seconds in card.seconds.values())
    assert card.seconds["trained"] > 0


def test_the_frame_has_a_line_for_every_row_and_says_which_run_it_is_about(card):
    frame = card.frame()
    assert len(frame) == len(card.rows)
    assert set(frame["model"]) == {"tiny-llama"}
    assert set(frame["forget_set"]) == {"elements"}
    assert list(frame["set"]) == [row.set for row in card.rows]


def test_the_file_is_one_readable_mapping_with_its_schema(finished_run, card):
    stored = json.loads((finished_run.folder / "scorecard.json").read_text(encoding="utf-8"))
    assert stored["schema"] == SCHEMA
    assert stored["numbers"][0] == dataclasses.asdict(card.numbers[0])


def test_the_default_floor_survives_exactly_and_harms_no_other_weight(card):
    account = {row.metric: row.value for row in card.rows.where(set="weights")}
    assert account["changed"] > 0
    assert account["survival"] == 1
    assert account["collateral"] == 0


def test_a_second_call_computes_nothing_and_returns_the_same(finished_run, card):
    files = {p: p.stat().st_mtime_ns for p in finished_run.folder.parent.rglob("*.*")}
    again = Run(finished_run.config, Folders(finished_run.folder, finished_run.shared))
    assert run_study(again) == card
    assert {p: p.stat().st_mtime_ns for p in finished_run.folder.parent.rglob("*.*")} == files
    assert not again._is_loaded  # and loads no weights for it


def test_a_checkout_that_nobody_installed_ends_with_a_scorecard_too(
    finished_run: Run, tmp_path: Path, monkeypatch
) -> None:
    known = importlib.metadata.version

    def version(name: str) -> str:
        if name == "mansu":
            raise importlib.metadata.PackageNotFoundError(name)
        return known(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    place = shutil.copytree(finished_run.folder, tmp_path / "run")
    (place / "scorecard.json").unlink()
    card = judge(Run(finished_run.config, Folders(place, finished_run.shared)))
    assert card.versions["mansu"] == "not installed"
    assert card.versions["torch"] == known("torch")


def test_the_same_seed_gives_the_same_scorecard(finished_run, card, tmp_path):
    again = Run(finished_run.config, Folders(tmp_path / "run", tmp_path / "shared"))
    assert numbers(run_study(again)) == numbers(card)


def test_each_stage_runs_alone_and_brings_what_comes_before(tiny_config, tmp_path, finished_run):
    shared = finished_run.shared
    for stage, arguments in (
        *((draw, ()), (measure, (ORIGINAL,)), (localize, ()), (train, ()), (floor, ())),
        (measure, (State("unlearned", "nf4"),)),
    ):
        run = Run(tiny_config, Folders(tmp_path / stage.__name__, shared))
        assert stage(run, *arguments) is not None


def test_the_model_is_left_as_it_was(finished_run, tiny):
    for name, weight in tiny.module.state_dict().items():
        assert torch.equal(weight, finished_run.model.module.state_dict()[name])


def test_shared_results_lie_in_the_shared_folder_and_the_run_s_own_in_its_own(finished_run):
    own = {path.name for path in Path(finished_run.folder).iterdir() if path.is_file()}
    assert own == {
        *("config.json", "circuit.json", "trained.safetensors", "delta.safetensors"),
        *("behaviour-unlearned-fp.safetensors", "behaviour-unlearned-nf4.safetensors"),
        *("attribution-unlearned-fp.safetensors", "attribution-unlearned-nf4.safetensors"),
        *("depth-unlearned-fp.safetensors", "depth-unlearned-nf4.safetensors"),
        "scorecard.json",
    }
    shared = {path.name.rsplit("-", 1)[0] for path in finished_run.shared.iterdir()}
    assert shared == {
        *("items", "scores", "fisher", "target", "behaviour-original-fp", "behaviour-original-nf4"),
        *("attribution-original-fp", "attribution-original-nf4"),
        *("carried-original-fp", "carried-original-nf4"),
        *("depth-original-fp", "depth-original-nf4"),
    }
