"""A study that is killed goes on where it was, and ends as if nothing had happened."""

import random
from pathlib import Path

import pytest

from mansu.study.config import StudyConfig, make_config
from mansu.study.folders import Folders
from mansu.study.pipeline import run_study
from mansu.study.run import Run
from mansu.study.scorecard import Scorecard
from mansu.study.stages.attack import attack_calls
from tests.conftest import TINY_SETTINGS, numbers
from tests.faults.harness import KILLED, assert_finishes, card_of, kill_at, run, start
from tests.study.small_sets import options, write_sets

TIMES, MOMENTS = 12, 8  # 20 points of `make torture`


@pytest.mark.parametrize("moment", [2, 11, 19])
def test_a_study_killed_while_it_writes_ends_with_the_same_scorecard(
    tmp_path: Path, tiny_config: StudyConfig, card: Scorecard, tally, moment: int
) -> None:
    out = tmp_path / "run"
    with tally("killed while writing"):
        assert run(out, MANSU_KILL_AT=str(moment)).code == KILLED
        assert not (out / "scorecard.json").exists()
        assert numbers(run_study(Run(tiny_config, Folders(out, out / "shared")))) == card
        assert not list(out.rglob(".*"))


@pytest.mark.parametrize("moment", [5, 12])
def test_an_attack_that_is_killed_goes_on_with_the_setting_it_was_at(
    tmp_path: Path, tally, moment: int
) -> None:
    sets = write_sets(tmp_path)
    config = make_config({**TINY_SETTINGS, **sets, "attacks": "relearn"})
    whole, out = (Folders(tmp_path / name, tmp_path / name / "shared") for name in ("a", "b"))
    assert run(out.run, *options(sets)).code == 0  # the study alone, so that the kill hits later
    with tally("killed while writing"):
        assert run(out.run, *options(sets), "--relearn", MANSU_KILL_AT=str(moment)).code == KILLED
        places = (out.run, out.shared)
        found = [path for place in places for path in place.glob("attacked*")]
        stored = {path: path.stat().st_mtime_ns for path in found}
        assert 0 < len(stored) < len(attack_calls(Run(config, out), "relearn"))
        ended = numbers(run_study(Run(config, out)))
    assert {path: path.stat().st_mtime_ns for path in stored} == stored
    assert ended == numbers(run_study(Run(config, whole)))
    assert ended.rows.where(metric="recovered_share")
    assert not list(out.run.rglob(".*"))


@pytest.mark.torture
@pytest.mark.parametrize("part", range(MOMENTS))
def test_a_study_killed_at_any_writing_moment_ends_the_same(
    tmp_path: Path, reference, tally, part: int
) -> None:
    share = (part + random.Random(part).random()) / MOMENTS
    with tally("killed while writing"):
        moment = 1 + int(share * reference.moments)
        assert run(tmp_path / "run", MANSU_KILL_AT=str(moment)).code == KILLED
        assert_finishes(tmp_path / "run", reference.card)


@pytest.mark.torture
@pytest.mark.parametrize("part", range(TIMES))
def test_a_study_killed_at_any_time_ends_the_same(
    tmp_path: Path, reference, tally, part: int
) -> None:
    share = 0.97 * (part + random.Random(part).random()) / TIMES
    with tally("killed at a random time"):
        assert kill_at(start(tmp_path / "run"), share * reference.cpu).code == KILLED
        assert_finishes(tmp_path / "run", reference.card)


@pytest.mark.torture
def test_a_study_killed_again_and_again_ends_the_same(tmp_path: Path, reference, tally) -> None:
    draw = random.Random(0)
    with tally("killed six times in a row"):
        kills = [run(tmp_path / "run", MANSU_KILL_AT=str(draw.randint(1, 8))) for _ in range(6)]
        assert [ended.code for ended in kills] == [KILLED] * 6
        assert_finishes(tmp_path / "run", reference.card)


@pytest.mark.torture
def test_two_processes_on_one_run_both_end_with_the_same_scorecard(
    tmp_path: Path, reference, tally
) -> None:
    with tally("two processes on one run"):
        both = [start(tmp_path / "run") for _ in range(2)]
        for process in both:
            said, errors = process.communicate(timeout=540)
            assert process.returncode == 0, errors
            assert "structural" in said
        assert card_of(tmp_path / "run") == reference.card
        assert_finishes(tmp_path / "run", reference.card)
