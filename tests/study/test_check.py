"""What no role, device or setting can be, every entrance refuses before any work, alike."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from mansu.cli import main
from mansu.data.facts import load_fact_set
from mansu.errors import InputError, RunError
from mansu.lab.open import open_run
from mansu.study.card_text import scorecard_table
from mansu.study.check import require_device
from mansu.study.config import make_config
from mansu.study.folders import Folders
from mansu.study.pipeline import run_study
from mansu.study.plan import make_plan
from mansu.study.run import Run
from mansu.study.stages import draw, localize, train
from mansu.study.state import State
from mansu.sweep.batch import sweep
from mansu.unlearn.mask import Movable
from tests.study.small_sets import FAST, hurry, options, write_set, write_sets

ONE_SIDED = {
    "only train facts": (
        ["train"] * 4,
        "no held_out fact",
        'some of its facts "split": "held_out"',
    ),
    "only held-out facts": (
        ["held_out"] * 4,
        "no train fact",
        'some of its facts "split": "train"',
    ),
    "a single fact": ([None], "fact, and", "add facts: it has one"),
}


def entrances(values: dict, folder: Path) -> dict:
    """Every way to ask for a run, by what a user calls it."""
    sets = {role: values[role] for role in ("forget", "retain", "utility")}
    grid = {"models": [values["model"]], "sets": [sets], "methods": [values.get("method", "mansu")]}
    others = {k: v for k, v in values.items() if k not in ("model", "method", *sets)}
    study = {"study": "s", **grid, "set": others}
    (folder / "study.yaml").write_text(json.dumps(study), encoding="utf-8")
    (folder / "run.yaml").write_text(json.dumps(values), encoding="utf-8")
    out = folder / "out"
    return {
        "mansu run": lambda: main(["run", *options(values), f"--out={out}"]),
        "mansu run --config": lambda: main(
            ["run", f"--config={folder / 'run.yaml'}", f"--out={out}"]
        ),
        "mansu plan": lambda: main(["plan", *options(values)]),
        "mansu sweep": lambda: main(["sweep", str(folder / "study.yaml"), "--dry-run"]),
        "a sweep elsewhere": lambda: sweep(folder / "study.yaml", out=out),
        "a notebook": lambda: open_run(**values, out=str(out)),
        "Python": lambda: Run(make_config(values), Folders(out, out / "shared")),
        "a plan from Python": lambda: make_plan(make_config(values)),
    }


def told_by(entrance, capsys) -> str:
    """The sentence that an entrance refuses with, and how: exit code 2, or an InputError."""
    try:
        assert entrance() == 2
    except InputError as error:
        return str(error)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("mansu: ")
    assert said.err.count("\n") == 1
    return said.err.removeprefix("mansu: ").removesuffix("\n")


@pytest.mark.parametrize("case", ONE_SIDED)
def test_a_retain_set_with_an_empty_side_is_refused_naming_file_side_and_way_out(
    capsys, tmp_path, case
):
    splits, lack, way_out = ONE_SIDED[case]
    retain = write_set(tmp_path / "mine.jsonl", "capitals", splits)
    with pytest.raises(InputError, match=lack) as refused:
        open_run(**{**FAST, **write_sets(tmp_path), "retain": retain}, out=str(tmp_path / "out"))
    assert str(refused.value).startswith(f"{retain}: ")
    assert way_out in str(refused.value)
    assert not (tmp_path / "out").exists()


FAULTS = {
    "an empty side": {"retain": "one-sided.jsonl"},
    "a pair that cannot be": {"forget": "single.jsonl"},
    "a set in two roles": {"utility": "elements.jsonl"},
    "no such file": {"utility": "none.jsonl"},
    "no such model": {"model": "no-such-model"},
    "a circuit that is too large": {"top_k": 5},
    "no such device": {"device": "abacus"},
    "a device that computes nothing": {"device": "meta"},
    "a dtype that NF4 does not know": {"dtype": "float64"},
    "another method's settings": {"method": "npo", "floor": "in_loop"},
    "no such floor": {"floor": "roof"},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_entrance_refuses_alike_and_leaves_nothing_behind(
    capsys, tmp_path, monkeypatch, fault
):
    write_set(tmp_path / "one-sided.jsonl", "capitals", ["train"] * 3)
    write_set(tmp_path / "single.jsonl", "elements", ["train"])
    sets = write_sets(tmp_path)
    wrong = {
        name: str(tmp_path / value) if str(value).endswith(".jsonl") else value
        for name, value in FAULTS[fault].items()
    }
    ways = entrances({**FAST, **sets, **wrong}, tmp_path)
    before = sorted(tmp_path.iterdir())
    if fault in ("a dtype that NF4 does not know", "no such floor"):  # argparse has its own words
        for name in ("mansu run", "mansu plan"):
            with pytest.raises(SystemExit) as ended:
                ways.pop(name)()
            assert ended.value.code == 2
            assert "invalid choice" in capsys.readouterr().err
    told = {name: told_by(way, capsys) for name, way in ways.items()}
    assert len(set(told.values())) == 1, told
    assert sorted(tmp_path.iterdir()) == before


def test_a_configuration_that_no_reader_made_is_checked_by_the_run(tmp_path):
    npo = make_config({"model": "tiny-llama", "top_k": 1, "method": "npo"})
    for changes, told in (
        ({"floor": "in_loop"}, "npo cannot have in_loop"),
        ({"method": "mansu", "floor": "none"}, "settings: they are another method's"),
        ({"settings": replace(npo.settings, retain_weight=0.0, retain_batch=2)}, "retain_batch: "),
    ):
        with pytest.raises(InputError, match=told):
            Run(replace(npo, **changes), Folders(tmp_path / "out", tmp_path / "shared"))


@pytest.mark.parametrize("known", ["cuda", "cuda:7", "mps", "xpu"])
def test_a_plan_is_made_for_devices_that_are_elsewhere(tmp_path, known):
    config = make_config({**FAST, **write_sets(tmp_path), "device": known})
    assert not make_plan(config).on_cpu
    if not torch.cuda.is_available() and not torch.backends.mps.is_available():
        with pytest.raises(InputError, match=f"device: '{known}' is not available here"):
            Run(config, Folders(tmp_path / "out", tmp_path / "shared"))


@pytest.mark.parametrize(
    "name", ["auto", "CPU", "hpu", "privateuseone", "lazy", "cuda:-1", "", "é"]
)
def test_whatever_stands_for_a_device_is_refused_in_a_sentence(name):
    with pytest.raises(InputError, match="device: "):
        require_device(name, here=True)


@pytest.fixture
def quick(monkeypatch) -> None:
    hurry(monkeypatch)


@pytest.mark.parametrize("facts", [2, 3])
def test_the_smallest_sets_give_a_whole_scorecard(tmp_path, quick, facts):
    sets = {
        "forget": write_set(tmp_path / "f.jsonl", "elements", [None] * facts),
        "retain": write_set(tmp_path / "r.jsonl", "capitals", [None] * facts),
        "utility": write_set(tmp_path / "u.jsonl", "cities", ["train"]),
    }
    run = Run(make_config({**FAST, **sets}), Folders(tmp_path / "run", tmp_path / "shared"))
    asked = run_study(run).rows.at("utility", "all", "accuracy", State("original", "fp"), "value")
    assert asked.n == 2


def test_a_forget_set_without_held_out_prompts_runs_and_leaves_their_column_out(tmp_path, quick):
    forget = write_set(tmp_path / "seen.jsonl", "elements", ["train"] * 6, ["seen", "seen"])
    values = {**FAST, **write_sets(tmp_path), "forget": forget}
    make_plan(make_config(values))
    run = Run(make_config(values), Folders(tmp_path / "run", tmp_path / "shared"))
    card = run_study(run)
    assert card.templates == ()
    assert not card.rows.where(view="held-out")
    assert draw(run).items["forget_held_out"] == ()
    assert "held-out    FP" not in scorecard_table(card)
    assert "no held-out prompt" in " ".join(scorecard_table(card).split())
    again = Run(run.config, Folders(run.folder, run.shared), model=run.model)
    assert run_study(again) == card


def test_a_mask_that_lets_nothing_move_ends_the_run_before_training(tmp_path, quick, monkeypatch):
    nothing = lambda *_given: Movable({"w": torch.empty(0, dtype=torch.long)}, 1.0)  # noqa: E731
    monkeypatch.setattr("mansu.unlearn.mask.most_forgetful", nothing)
    config = make_config({**FAST, **write_sets(tmp_path), "tau": 1e-9})
    run = Run(config, Folders(tmp_path / "run", tmp_path / "shared"))
    with pytest.raises(RunError, match=r"tau: no weight .* 1e-09 .* raise tau"):
        train(run)
    assert not (run.folder / "trained.safetensors").exists()


def test_a_circuit_without_a_scored_edge_ends_the_run_before_training(tmp_path, quick, monkeypatch):
    run = Run(
        make_config({**FAST, **write_sets(tmp_path)}),
        Folders(tmp_path / "run", tmp_path / "shared"),
    )
    with torch.no_grad():  # the MLPs write nothing and nothing is read from them
        for layer in range(run.model.layers):
            for name in run.model.family.mlp_weight_names(run.model.module, layer):
                run.model.module.get_parameter(name).zero_()
    with pytest.raises(RunError, match="Every edge into the circuit scores zero"):
        localize(run)


def test_no_fact_of_a_set_without_splits_moves_when_others_are_added_behind_it(tmp_path):
    for seed in range(30):
        names = [f"{seed}-{n}" for n in range(12)]
        sides = []
        for count in range(2, 12):
            path = tmp_path / "facts.jsonl"
            head = {"record": "set", "name": "s", "templates": [
                {"id": "t", "kind": "cloze", "role": "seen", "text": "{subject} is"}]}  # fmt: skip
            facts = [
                {
                    "record": "fact",
                    "id": n,
                    "subject": n,
                    "answer": "a",
                    "distractors": ["b", "c", "d"],
                }
                for n in names[:count]
            ]
            path.write_text("\n".join(map(json.dumps, [head, *facts])), encoding="utf-8")
            found = load_fact_set(str(path))
            assert found.train
            assert found.held_out_facts
            sides.append([fact.split for fact in found.facts])
        assert all(longer[: len(shorter)] == shorter for shorter, longer in pairwise(sides))
