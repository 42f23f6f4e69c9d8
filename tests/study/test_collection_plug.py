"""A collection of one's own, CONTRIBUTING's example: one file, and every entrance knows it."""

import json
from pathlib import Path
from typing import NamedTuple

import pytest

from mansu.cli import main
from mansu.study.scorecard import Scorecard, read_scorecard
from tests.conftest import TINY_SETTINGS
from tests.study.examples import example, run_plugged, shown_in

ASKED = TINY_SETTINGS | {"forget": "sums:9"}
FACTS = 8 * 8  # 2 … 9 plus 2 … 9


class Ran(NamedTuple):
    """A run of the collection, in a process of its own."""

    folder: Path
    plugs: Path
    said: str
    card: Scorecard


@pytest.fixture(scope="module")
def ran(tmp_path_factory) -> Ran:
    place, plugs = tmp_path_factory.mktemp("sums"), tmp_path_factory.mktemp("plugs")
    (plugs / "collections").mkdir()
    (plugs / "collections" / "sums.py").write_text(example("COLLECTION"), encoding="utf-8")
    words = [f"--{name.replace('_', '-')}={value}" for name, value in ASKED.items()]
    said = run_plugged(plugs, "mansu", "run", *words, "--out", str(place / "run"))
    card = read_scorecard(place / "run" / "scorecard.json")
    assert card is not None
    return Ran(place, plugs, said, card)


def test_every_state_is_asked_its_questions_in_trained_and_in_other_words(ran: Ran) -> None:
    assert ran.card.facts == FACTS
    assert ran.card.config["forget"] == "sums:9"
    for state in ran.card.rows.states:
        rows = ran.card.rows.where(set="forget", metric="accuracy", kind="value")
        views = {row.view for row in rows if row.state == state}
        # An untrained wording counts only where the original knows it, and sums it never read.
        assert views - {"held-out"} == {"seen"}
    (items,) = (ran.folder / "run" / "shared").glob("items-*.json")
    asked = json.loads(items.read_text(encoding="utf-8"))["items"]
    sums = {item["prompt"]: item["options"] for item in asked["forget_seen"]}
    assert {f"{a} plus {b} is" for a in range(2, 10) for b in range(2, 10)} >= sums.keys()
    assert all(prompt.startswith("Adding up, ") for prompt in prompts(asked, "forget_held_out"))
    assert " 11" in sums["2 plus 9 is"] if "2 plus 9 is" in sums else sums
    assert prompts(asked, "check_forget") == {f"{fact} is" for fact in facts(asked)}


def prompts(asked: dict, role: str) -> set[str]:
    return {item["prompt"] for item in asked[role]}


def facts(asked: dict) -> set[str]:
    return {item["fact_id"] for item in asked["check_forget"]}


def test_the_printed_scorecard_and_the_tables_name_it(ran: Ran, monkeypatch, capsys) -> None:
    assert "forget sums:9" in ran.said
    assert main(["tables", str(ran.folder)]) == 2
    assert "collections: 'sums' is unknown" in capsys.readouterr().err
    monkeypatch.setenv("MANSU_PLUGS", str(ran.plugs))
    for table in ("summary", "methods"):
        assert main(["tables", str(ran.folder), "--table", table]) == 0
        assert "sums:9" in capsys.readouterr().out


def test_notebook_5_asks_it(ran: Ran, tmp_path: Path) -> None:
    given = [word for name, value in ASKED.items() for word in ("-p", name, str(value))]
    shown = shown_in(
        "05_quantize", ran.plugs, tmp_path, *given, "-p", "out", str(ran.folder / "run")
    )
    assert any("2 plus 2 is" in output for output in shown)
    assert any("Adding up, {subject} makes" in output for output in shown)


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ("nine", "sums:nine: it cannot be loaded (ValueError: invalid literal for int()"),
        ("1", "sums:1: The set has no facts"),
        ("", "sums:: it cannot be loaded (ValueError"),
    ],
)
def test_a_part_that_it_does_not_have_is_refused_in_one_sentence(
    ran: Ran, monkeypatch, capsys, tmp_path: Path, part: str, told: str
) -> None:
    monkeypatch.setenv("MANSU_PLUGS", str(ran.plugs))
    out = tmp_path / "out"
    words = ["run", "--model", "tiny-llama", "--top-k", "2", "--out", str(out)]
    assert main([*words, "--forget", f"sums:{part}"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"mansu: {told}")
    assert said.count("\n") == 1
    assert not out.exists()
