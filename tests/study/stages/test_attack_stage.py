"""Attacks as stages: resumed at the setting they were at, and refused before any work."""

from dataclasses import replace
from pathlib import Path

import pytest

from mansu.attacks import find_attack
from mansu.cli import main
from mansu.errors import InputError, RunError
from mansu.study.config import make_config
from mansu.study.folders import Folders
from mansu.study.pipeline import run_study
from mansu.study.run import Run
from mansu.study.stages import draw
from mansu.study.stages.attack import attack, attack_all, attack_calls
from tests.conftest import numbers
from tests.study.small_sets import FAST, hurry, options, write_sets
from tests.study.stages.test_relearn import one_answer
from tests.study.test_unloaded_checks import command

EVERY = ("relearn", "relearn-lora", "prompts", "prune")


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run of a second on sets of a few facts, without companions."""
    hurry(monkeypatch)
    config = make_config({**FAST, **write_sets(tmp_path), "attacks": "prune"})
    return Run(config, Folders(tmp_path / "run", tmp_path / "shared"))


@pytest.mark.parametrize("name", ["prune", "relearn-lora"])
def test_an_attack_that_ends_on_the_way_goes_on_with_the_setting_it_was_at(
    small: Run, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    plug, struck = find_attack(name), []
    module = f"mansu.attacks.{name.replace('-', '_')}.ATTACK"

    def strike(model, target, setting, progress):
        if len(struck) == 3:
            raise RunError("made up")
        struck.append((target.form, setting))
        return plug.strike(model, target, setting, progress)

    monkeypatch.setattr(module, replace(plug, strike=strike))
    with pytest.raises(RunError, match="made up"):
        attack_all(small, name)
    stored = [call for _, call in attack_calls(small, name) if attack.is_stored(small, *call)]
    assert len(stored) == 3
    monkeypatch.undo()
    hurry(monkeypatch)

    def rest(model, target, setting, progress):
        struck.append((target.form, setting))
        return plug.strike(model, target, setting, progress)

    monkeypatch.setattr(module, replace(plug, strike=rest))
    again = Run(small.config, small.folders)
    found = attack_all(again, name)
    assert len(struck) == len(attack_calls(again, name)) == 2 * 2 * len(plug.settings)
    assert set(found) == {"fp", "nf4"}
    assert set(found["fp"]) == {"unlearned", "original"}


def test_what_is_stored_is_read_back_as_it_was(small: Run) -> None:
    for name, setting in (("prune", "0.1"), ("relearn-lora", "0.0005")):
        given = (name, "original", "nf4", setting)
        made = attack(small, *given)
        read = attack.read(small, *given)
        assert type(read) is type(made)
        assert read is not None
        assert read.level == made.level


def test_every_attack_runs_on_the_smallest_sets_and_a_second_time_gives_the_same_card(
    small: Run,
) -> None:
    config = replace(small.config, attacks=EVERY)  # pyright: ignore
    card = run_study(Run(config, small.folders))
    metrics = ("worst_accuracy", "recovered_share")
    views = {row.view for metric in metrics for row in card.rows.where(metric=metric)}
    assert views == {"relearned", "relearn-lora", "prompts", "prune"}
    assert numbers(run_study(Run(config, small.folders))) == numbers(card)
    assert any(title.startswith("attacked prompts ") for title in card.seconds)


def refused(tmp_path: Path, capsys, attacks: str, forget: str | None = None) -> str:
    """What `mansu run` says of an attack, before any work."""
    out, sets = tmp_path / "out", write_sets(tmp_path)
    given = {**FAST, **sets, "attacks": attacks} | ({"forget": forget} if forget else {})
    assert main(["run", *options(given), "--out", str(out)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("mansu: ")
    assert said.err.count("\n") == 1
    assert not out.exists()
    return said.err


def test_an_unknown_attack_is_refused_with_what_may_have_been_meant(tmp_path, capsys) -> None:
    assert "did you mean 'prompts'?" in refused(tmp_path, capsys, "prompt")


def test_benign_facts_that_no_companion_gives_are_refused(tmp_path, capsys) -> None:
    told = refused(tmp_path, capsys, "prune,benign")
    assert "it names none; name one, or leave benign out of attacks" in told


@pytest.mark.parametrize("name", ["relearn", "relearn-lora"])
def test_a_set_that_cannot_be_halved_is_refused_by_what_teaches_half(
    tmp_path, capsys, name: str
) -> None:
    assert "one answer" in refused(tmp_path, capsys, name, one_answer(tmp_path))


def test_an_unknown_attack_is_refused_before_anything_that_computes_is_imported(tmp_path) -> None:
    ended = command("run", "--attacks", "no-such", "--out", str(tmp_path / "out"))
    assert ended.returncode == 2
    assert ended.stdout == "[]\n"
    assert "'no-such' is unknown" in ended.stderr


def test_an_attack_that_is_not_asked_for_is_not_even_imported(tmp_path, monkeypatch) -> None:
    (tmp_path / "attacks").mkdir()
    (tmp_path / "attacks" / "mine.py").write_text("raise SystemExit")
    monkeypatch.setenv("MANSU_PLUGS", str(tmp_path))
    assert make_config({"attacks": "prune"}).attacks == ("prune",)
    config = make_config({**FAST, **write_sets(tmp_path), "attacks": "mine"})
    with pytest.raises(InputError, match="cannot be imported"):
        Run(config, Folders(tmp_path / "run", tmp_path / "shared"))


def test_attacks_leave_the_study_s_own_results_alone(small: Run) -> None:
    without = Run(replace(small.config, attacks=()), small.folders)  # pyright: ignore
    assert draw.key(small) == draw.key(without)
