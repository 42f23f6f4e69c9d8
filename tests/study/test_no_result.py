"""A method without a result: the run ends normally, and says why it has no numbers."""

import dataclasses
from pathlib import Path

import pandas as pd
import pytest

from mansu.cli import main
from mansu.registry import plugs
from mansu.study.card_text import scorecard_table
from mansu.study.rules import RULE_NAMES, no_verdicts
from mansu.study.scorecard import Scorecard, read_scorecard
from mansu.study.table_files import to_csv, to_latex, to_markdown, to_text
from mansu.study.tables import build_table, find_table
from mansu.unlearn import refusing
from tests.study.small_sets import FAST, fitting, hurry, options, write_sets
from tests.study.test_attacked import shouted
from tests.study.test_tables import make_card

WORD, WHY = "no refusal direction", "lunar: the model has no refusal direction; choose another."
TABLES = plugs("mansu.study.tables")


@pytest.fixture(scope="module")
def command(tmp_path_factory) -> list[str]:
    """LUNAR on a model that refuses nothing."""
    place = tmp_path_factory.mktemp("lunar")
    values = fitting({**FAST, **write_sets(place), "method": "lunar"})
    return ["run", *options({**values, "out": place / "run"})]


def empty_card(seed: int = 3) -> Scorecard:
    card = make_card()
    return dataclasses.replace(
        card,
        config={**card.config, "method": "lunar", "settings": {}, "floor": "none", "seed": seed},
        word=WORD,
        numbers=(),
        verdicts=no_verdicts(WHY),
        paper=(),
    )


def test_the_run_ends_normally_with_the_reason_and_its_card_holds_no_number(
    command, monkeypatch, capsys
) -> None:
    hurry(monkeypatch)
    assert main(command) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "no numbers: lunar: the model has no refusal direction: asked about what" in said
    run = said.rpartition("Results: ")[2].split()[0]
    card = read_scorecard(Path(run) / "scorecard.json")
    assert card is not None
    assert card.word == WORD
    assert (card.numbers, card.circuit, card.paper) == ((), (), ())
    assert [v.name for v in card.verdicts if v.outcome == "not testable"] == [*RULE_NAMES]
    assert all("another method" in verdict.reason for verdict in card.verdicts)

    def tried_again(*_given) -> None:
        raise AssertionError("the reason is known")

    monkeypatch.setattr(refusing, "require_refusals", tried_again)
    assert main(command) == 0
    assert " ".join(capsys.readouterr().out.split()) == said
    assert main(["export", run, "--to", f"{run}.new"]) == 2
    assert "its scorecard says if the method has no result" in capsys.readouterr().err


@pytest.mark.parametrize("width", [80, 100])
def test_the_text_of_such_a_card_is_the_run_and_the_reason(width: int) -> None:
    text = scorecard_table(empty_card(), width)
    assert text.startswith("lunar on tiny-llama")
    assert text.endswith(f"no numbers: {WHY}")
    assert max(map(len, text.splitlines())) <= width


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("write", [to_text, to_markdown, to_latex, to_csv])
def test_every_table_has_a_line_with_the_reason_in_the_numbers_place(name: str, write) -> None:
    table, full = find_table(name), make_card()
    full = dataclasses.replace(full, numbers=(*full.numbers, *shouted()))
    frame = build_table(table, [full, empty_card()])
    alone = table.build([full])
    pd.testing.assert_frame_equal(
        frame.iloc[:-1].drop(columns="no numbers"), alone, check_dtype=False
    )
    line = frame.iloc[-1].dropna()
    assert line["no numbers"] == WORD
    assert set(line.index) - {"no numbers"} <= {"model", "forget", "retain set", "method", "seed"}
    before = [row for row in write(table, alone).splitlines() if "mansu" in row]
    after = [row for row in write(table, frame).splitlines() if "mansu" in row]
    # What stood there stands there still, digit by digit.
    assert [_words(row) for row in before] == [_words(row) for row in after]
    (told,) = [row for row in write(table, frame).splitlines() if WORD in row]
    assert "lunar" in told


def _words(line: str) -> str:
    return "".join(line.replace("|", " ").replace("&", " ").replace(",", " ").split())


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_such_runs_alone_names_each_with_its_reason(name: str) -> None:
    frame = build_table(find_table(name), [empty_card(), empty_card(seed=4)])
    assert frame["no numbers"].tolist() == [WORD, WORD]
    assert frame["seed"].tolist() == [3, 4]


def test_seeds_that_a_table_puts_together_have_one_line_without_numbers() -> None:
    frame = build_table(find_table("methods"), [make_card(), empty_card(), empty_card(seed=4)])
    assert frame["no numbers"].tolist()[1:] == [WORD]
