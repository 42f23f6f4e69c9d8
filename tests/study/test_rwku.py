"""RWKU: rows of the real schema about made-up people."""

import json
from pathlib import Path

import pytest

from mansu.collections import load_set
from mansu.errors import InputError
from mansu.metrics.written import compare
from mansu.study.config import make_config
from mansu.study.folders import Folders
from mansu.study.pipeline import run_study
from mansu.study.run import Run
from mansu.study.stages.draw import draw
from mansu.study.stages.write import answer
from mansu.study.state import State
from tests.study.small_sets import FAST, hurry

PEOPLE = ("Ulm Vantreek", "Ova P. Brisanko")
COLOURS = ("red", "blue", "green", "grey", "pink", "brown")
ROWS = [
    {
        "subject": person,
        "query": f"Ship {n} of {person.split()[0]} was ___.",
        "answer": f"painted {COLOURS[(n + k) % 6]}",
        "level": "1",
    }
    for k, person in enumerate(PEOPLE)
    for n in range(12)
]


@pytest.fixture
def own(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("MANSU_SETS", str(tmp_path / "sets"))
    for name in ("forget_level1", "neighbor_level1"):
        place = tmp_path / "sets" / "rwku" / name
        place.mkdir(parents=True)
        asked = [row | {"query": f"{name[:3]}: {row['query']}"} for row in ROWS]
        (place / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
    return tmp_path


def test_a_level_is_about_all_people_or_about_one(own: Path) -> None:
    assert len(load_set("rwku:level1").facts) == 24
    one = load_set("rwku:level1-ova-p-brisanko")
    assert len(one.facts) == 12
    assert one.seen[0].render(one.facts[0]) == (
        "Please complete the blank in the following question.\n"
        "Question: for: Ship 0 of Ova was ___.\nAnswer:"
    )
    with pytest.raises(InputError, match="did you mean 'ulm-vantreek'"):
        load_set("rwku:level1-ulm-vantrek")
    with pytest.raises(InputError, match="did you mean 'level"):
        load_set("rwku:level")
    with pytest.raises(InputError, match="jinzhuoran/RWKU, configuration forget_level2"):
        load_set("rwku:level2")


def test_a_run_tells_how_much_of_each_answer_is_written(own: Path, tiny, monkeypatch) -> None:
    hurry(monkeypatch)
    sets = {"forget": "rwku:level1-ulm-vantreek", "retain": "rwku:neighbor1", "utility": "cities"}
    config = make_config({**FAST, **sets, "items": 12})
    run = Run(config, Folders(own / "run", own / "run" / "shared"), model=tiny)
    card = run_study(run)
    state = State("unlearned", "nf4")
    said, items = answer(run, state).sets["forget"], draw(run).items["forget_seen"]
    assert all("\n" not in text for text in said.texts)
    rights = [item.options[item.answer].strip() for item in items]
    found = card.rows.at("benchmark", "forget", "rouge_l", state, "value")
    assert found.value == pytest.approx(compare(said.texts, rights, stemmed=False).recall.mean())
    assert card.rows.find("benchmark", "retain", "rouge_l", state, "change")
