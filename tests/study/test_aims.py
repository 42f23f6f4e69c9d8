"""Training aims at any format that has a codebook: FP4 as well as NF4."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mansu.cli import main
from mansu.quant.codebook import FP4, NF4
from mansu.quant.permanence import account
from mansu.study.card_text import scorecard_table
from mansu.study.config import make_config
from mansu.study.folders import Folders, variant
from mansu.study.pipeline import run_study
from mansu.study.plan import make_plan
from mansu.study.run import Run
from mansu.study.scorecard import Scorecard
from mansu.study.stages.fisher import trainable_weights
from mansu.study.stages.floor import floor
from mansu.study.state import State
from mansu.study.tables import build_table, find_table
from tests.study.small_sets import FAST, hurry, write_sets

AIMED = [("in_loop", "fp4"), ("boundary", "fp4"), ("in_loop", "nf4")]
SEVERAL = [("in_loop", "nf4,fp4"), ("boundary", "fp4,nf4")]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("targets")


@pytest.fixture
def ran(place: Path, monkeypatch) -> Callable[[str, str], tuple[Run, Scorecard]]:
    """A short study that aims at a format, with what it shares in one folder."""
    hurry(monkeypatch)

    def study(kind: str, target: str) -> tuple[Run, Scorecard]:
        config = make_config({**FAST, **write_sets(place), "floor": kind, "target": target})
        run = Run(config, Folders(place / variant(config), place / "shared"))
        return run, run_study(run)

    return study


@pytest.mark.parametrize(("kind", "target"), AIMED)
def test_every_update_survives_in_the_format_that_training_aimed_at(ran, kind, target) -> None:
    run, card = ran(kind, target)
    total = floor(run).account.total
    assert total.changed > 20
    assert (total.survival, total.collateral, total.moved_blocks) == (1.0, 0, 0)
    before = trainable_weights(run)
    after = floor(run).matrices(before)
    for name, weight in before.items():
        changed = (after[name] != weight).flatten()
        assert torch.equal(run.codebook.codes(after[name]) != run.codebook.codes(weight), changed)
    state = State("unlearned", target)
    assert card.numbers.find("weights", "changed", "survival", state, "value").value == 1.0
    assert card.config["formats"] == [target]  # what is aimed at is measured, if nothing is said


@pytest.mark.parametrize(("kind", "targets"), SEVERAL)
def test_every_update_survives_in_each_of_several_formats_aimed_at(ran, kind, targets) -> None:
    run, card = ran(kind, targets)
    names = targets.split(",")
    accounts = floor(run).by_format
    assert [*accounts] == card.config["formats"] == names
    for name, found in accounts.items():
        total = found.total
        assert total.changed > 20
        assert (total.survival, total.collateral, total.moved_blocks) == (1.0, 0, 0)
        rows = card.numbers.where(set="weights", format=name, metric="survival")
        assert [row.value for row in rows] == [1.0]
    text = scorecard_table(card)
    assert "survival in NF4" in text
    assert "survival in FP4" in text
    frame = build_table(find_table("methods"), [card])
    assert [frame["survival"][0], frame[f"survival {names[1].upper()}"][0]] == [1.0, 1.0]


def test_a_second_target_is_counted_by_the_plan(place: Path) -> None:
    one, two = (
        make_plan(make_config({**FAST, **write_sets(place), "target": name}))
        for name in ("nf4", "nf4,fp4")
    )
    peaks = [max(m.total for m in plan.moments if m.stage == "train") for plan in (one, two)]
    assert peaks[1] > peaks[0]


def test_what_survives_in_one_format_need_not_survive_in_another(ran) -> None:
    run, _ = ran("in_loop", "fp4")
    before = trainable_weights(run)
    after = floor(run).matrices(before)
    assert account(before, after, FP4).total.survival == 1.0
    assert 0.2 < (account(before, after, NF4).total.survival or 0.0) < 1.0


def test_the_scorecard_names_the_format_that_was_measured(ran) -> None:
    _, card = ran("in_loop", "fp4")
    text = scorecard_table(card)
    assert "FP4" in text
    assert "NF4" not in text


def test_the_plan_counts_a_target_of_another_name_alike(place: Path) -> None:
    peaks = [
        make_plan(make_config({**FAST, **write_sets(place), "target": name})).peak().total
        for name in ("nf4", "fp4")
    ]
    assert peaks[0] == peaks[1] > 0


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("fp", "has no codebook to aim at; take fp4 or nf4"),
        ("nf4,int8", "Format 'int8' has no codebook to aim at"),
        ("nf5", "did you mean 'nf4'"),
        ("", "names no format to aim at"),
    ],
)
def test_a_format_that_nothing_can_aim_at_is_refused_in_one_sentence(target, told, capsys) -> None:
    assert main(["run", "--model", "tiny-llama", "--top-k", "2", "--target", target]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count(told) == said.err.count("\n") == 1
