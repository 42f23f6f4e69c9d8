"""The attack as stages of a run: its card, its keys, what it stores, and what it refuses."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mansu.attacks import find_attack
from mansu.attacks.relearning.lessons import GRID, halved
from mansu.cli import main
from mansu.data.facts import load_fact_set
from mansu.errors import InputError
from mansu.lab.dashboards.runs import change
from mansu.metrics.mcq import score_items
from mansu.study.config import differing_fields, make_config
from mansu.study.folders import Folders, study_folders
from mansu.study.pipeline import run_study
from mansu.study.run import Run
from mansu.study.stages import judge
from mansu.study.stages.attack import (
    attack,
    attack_all,
    attack_calls,
    attacked_set,
    read_relearning,
    target_of,
)
from mansu.study.state import State, in_state
from tests.study.small_sets import FAST, hurry, options, write_sets


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run of a second on sets of a few facts, without a twin."""
    hurry(monkeypatch)
    config = make_config({**FAST, **write_sets(tmp_path), "attacks": "relearn"})
    return Run(config, Folders(tmp_path / "run", tmp_path / "shared"))


def test_the_attack_is_part_of_the_card_only_where_it_is_asked_for(small: Run) -> None:
    without = Run(change(small.config, attacks=()), small.folders)
    card = run_study(without)
    assert not card.rows.where(view="relearned")
    assert read_relearning(without) is None
    attacked = run_study(small)
    assert attacked.rows.where(view="relearned", metric="recovered_share").formats == ("fp", "nf4")
    assert set(card.rows) < set(attacked.rows)
    assert [v.holds for v in attacked.verdicts] == [v.holds for v in card.verdicts]
    # What is stored is there without the flag, too.
    assert read_relearning(Run(without.config, small.folders)) is not None


def test_asking_for_it_names_no_folder_and_makes_nothing_else_stale(small: Run) -> None:
    without = Run(change(small.config, attacks=()), small.folders)
    assert not differing_fields(small.config, without.config)
    place = small.folders.run
    assert study_folders(small.config, place) == study_folders(without.config, place)
    for stage, given in judge.before(without):
        assert stage.key(without, *given) == stage.key(small, *given)
    assert judge.key(without) != judge.key(small)


def test_without_a_twin_the_level_stands_in_for_the_control(small: Run) -> None:
    assert attacked_set(small, "control") is None
    assert {origin for _, (_, origin, *_) in attack_calls(small, "relearn")} == {
        "unlearned",
        "original",
    }
    items = halved(target_of(small, "original", "fp"), small.tokenizer).untaught
    answers = {f.answer for f in small.forget.facts}
    by_hand = [1 / sum(option.strip() in answers for option in item.options) for item in items]
    run_study(small)
    levels = judge(small).rows.where(metric="level")
    assert levels.formats == ("fp", "nf4")
    assert levels[0].value == pytest.approx(sum(by_hand) / len(by_hand))


def test_the_finished_run_is_attacked_from_where_it_is(finished_run: Run, tmp_path: Path) -> None:
    # What the attack asks is stored, and the finished study is not to be written into.
    folders = Folders(finished_run.folder, tmp_path)
    run = Run(finished_run.config, folders, model=finished_run.model)
    lesson = halved(target_of(run, "unlearned", "nf4"), run.tokenizer)
    taught = {item.fact_id for item in lesson.taught} | {e.fact_id for e in lesson.examples}
    assert not taught & {item.fact_id for item in lesson.untaught}
    held_out = {t.id for t in run.forget.held_out}
    assert {item.template_id for item in (*lesson.taught, *lesson.untaught)} <= held_out
    twin = halved(target_of(run, "control", "nf4"), run.tokenizer)
    assert run.sets.companions.twin is not None
    assert {e.fact_id for e in twin.examples} <= {f.id for f in run.sets.companions.twin.facts}
    assert twin.aim == lesson.aim == 0.9
    with in_state(run, State("unlearned", "nf4")) as model:
        expected = score_items(model, lesson.untaught).accuracy
    found = attack.__wrapped__(run, "relearn", "unlearned", "nf4", "0.0001")  # pyright: ignore
    assert found.checks[0].trained.accuracy == expected


def test_another_rate_leaves_the_other_settings_alone(small: Run, monkeypatch) -> None:
    run_study(small)
    before = {path.name for path in small.folder.iterdir()}
    plug = replace(find_attack("relearn"), fitting=lambda *_: (*GRID, "0.001"))
    monkeypatch.setattr("mansu.attacks.relearn.ATTACK", plug)
    again = Run(small.config, small.folders)
    done: list[str] = []
    again.progress = lambda task, *_: done.append(task)
    attack_all(again, "relearn")
    assert {task.rsplit(" ", 1)[1] for task in done if "relearning" in task} == {"0.001"}
    new = {path.name for path in small.folder.iterdir()} - before
    assert new == {f"attacked-relearn-unlearned-{form}-0.001.safetensors" for form in ("fp", "nf4")}


def one_answer(tmp_path: Path) -> str:
    """A forget set all of whose facts have one answer."""
    source = load_fact_set("us_cities")
    templates = [
        {"id": t.id, "kind": t.kind, "role": t.role, "text": t.text} for t in source.templates
    ]
    records: list[dict] = [{"record": "set", "name": "one", "templates": templates}]
    for fact in source.facts[:8]:
        records.append(
            {
                "record": "fact",
                "id": fact.id,
                "subject": fact.subject,
                "answer": "Atlantis",
                "distractors": [d for d in fact.distractors if d != "Atlantis"],
            }
        )
    path = tmp_path / "one.jsonl"
    path.write_text("\n".join(map(json.dumps, records)) + "\n", encoding="utf-8")
    return str(path)


def test_a_set_with_an_empty_half_is_refused_before_any_work(tmp_path: Path, capsys) -> None:
    out = tmp_path / "out"
    sets = {"forget": one_answer(tmp_path), "retain": "capitals", "utility": "elements"}
    given = [*options({"model": "tiny-llama", "top_k": 2, **sets})]
    assert main(["run", *given, "--relearn", "--out", str(out)]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("mansu: ")
    assert said.err.count("\n") == 1
    assert "one answer" in said.err
    assert "leave relearning out" in said.err
    assert not out.exists()


def test_the_switch_of_older_command_lines_is_the_attack_of_that_name() -> None:
    with pytest.raises(InputError, match="relearn: give yes or no, not 'perhaps'"):
        make_config({"relearn": "perhaps"})
    assert make_config({"relearn": "true"}).attacks == ("relearn",)
    assert make_config({"relearn": False}).attacks == ()
    assert make_config({"relearn": True, "attacks": "prune"}).attacks == ("relearn", "prune")
    assert make_config({"relearn": False, "attacks": ["relearn", "prune"]}).attacks == ("prune",)
