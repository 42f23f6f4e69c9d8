"""A benchmark of one's own, CONTRIBUTING's example: one file, and every state writes to it."""

from pathlib import Path

import numpy as np
import pytest

from mansu.errors import InputError
from mansu.study.alone import judge_alone
from mansu.study.config import make_config
from mansu.study.folders import Folders
from mansu.study.pipeline import run_study
from mansu.study.run import Run
from mansu.study.stages.reply import reply
from mansu.study.state import State
from tests.study.examples import example
from tests.study.small_sets import FAST, hurry, write_sets

PLACE = ("benchmark", "brief", "short")
NF4 = State("unlearned", "nf4")


@pytest.fixture
def plugs(tmp_path: Path, monkeypatch) -> Path:
    folder = tmp_path / "plugs" / "benchmarks"
    folder.mkdir(parents=True)
    (folder / "brief.py").write_text(example("BENCHMARK"), encoding="utf-8")
    monkeypatch.setenv("MANSU_PLUGS", str(tmp_path / "plugs"))
    hurry(monkeypatch)
    return folder


def open_run(tmp_path: Path, tiny, **values) -> Run:
    given = {**FAST, **write_sets(tmp_path), "benchmarks": "brief", "reply_tokens": 8, **values}
    folders = Folders(tmp_path / "run", tmp_path / "run" / "shared")
    return Run(make_config(given), folders, model=tiny)


def test_each_figure_of_every_state_stands_in_the_scorecard_beside_the_original_s(
    plugs, tmp_path: Path, tiny
) -> None:
    run = open_run(tmp_path, tiny)
    card = run_study(run)
    for state in card.rows.states:
        found = reply(run, state, "brief")
        assert len(found.texts) == 2
        said = [text.split() for text in found.texts]
        expected = np.mean([np.mean([len(word) <= 4 for word in words]) for words in said])
        assert card.rows.at(*PLACE, state, "value").value == pytest.approx(expected)
    assert card.rows.at(*PLACE, NF4, "gap").n == card.rows.at(*PLACE, NF4, "value").n
    assert card.versions["brief"] == "1"
    alone = judge_alone(open_run(tmp_path, tiny))
    assert alone.numbers.at(*PLACE, State("unlearned", "fp"), "value")


def test_replies_of_other_lengths_do_not_share_a_result_and_need_no_new_training(
    plugs, tmp_path: Path, tiny
) -> None:
    run_study(open_run(tmp_path, tiny))
    trained = (tmp_path / "run" / "delta.safetensors").stat().st_mtime_ns
    longer = open_run(tmp_path, tiny, reply_tokens=9)
    run_study(longer)
    assert (tmp_path / "run" / "delta.safetensors").stat().st_mtime_ns == trained
    assert longer.results[reply, (NF4, "brief")]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def load():\n    raise OSError('gone')\n", "brief: it cannot be loaded (OSError: gone)"),
        ("def load():\n    return [Task('', {})]\n", "of the prompts, number 0 cannot be read"),
    ],
)
def test_a_benchmark_that_gives_no_task_is_refused_before_any_work(
    plugs: Path, tmp_path: Path, tiny, text: str, told: str
) -> None:
    first, last = "from mansu.benchmarks import Benchmark, Task\n", 'lambda: "1")\n'
    made = f'{first}{text}BENCHMARK = Benchmark("brief", load, None, {last}'
    (plugs / "brief.py").write_text(made, encoding="utf-8")
    with pytest.raises(InputError) as refused:
        open_run(tmp_path, tiny)
    assert told in str(refused.value)
    assert not (tmp_path / "run").exists()
