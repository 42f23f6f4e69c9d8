"""Tables over runs, and the files that they are written to."""

import dataclasses
import io
import re
from pathlib import Path

import pandas as pd
import pytest

from mansu.cli import main
from mansu.errors import InputError
from mansu.registry import plugs
from mansu.study.cache.records import read_result, write_result
from mansu.study.scorecard import Scorecard
from mansu.study.state import State
from mansu.study.table_files import to_csv, to_latex, to_markdown, to_text, write_table
from mansu.study.tables import Table, find_table, read_cards
from tests.refusals import refused
from tests.study.test_attacked import shouted
from tests.study.test_tables import make_card

NAMES = ("summary", "scorecard", "methods", "attacks", "certificate")
PLUG = '''"""Facts that were to be forgotten."""

import pandas as pd

from mansu.study.tables import Table


def build(cards):
    return pd.DataFrame([{"method": c.config["method"], "facts": c.facts} for c in cards])


TABLE = Table("facts", "Facts | & more", build, digits={"facts": "d"}, note="50 % of them")
'''


def of_seed(seed: int, accuracy: float) -> Scorecard:
    """A run of another seed, with another accuracy on the forget set in full precision."""
    card = make_card()
    numbers = tuple(
        dataclasses.replace(row, value=accuracy)
        if (row.view, row.metric, row.state.origin, row.format, row.kind)
        == ("seen", "accuracy", "unlearned", "fp", "value")
        else row
        for row in card.numbers
    )
    return dataclasses.replace(card, config={**card.config, "seed": seed}, numbers=numbers)


def test_the_tables_are_those_of_the_folder() -> None:
    assert set(plugs("mansu.study.tables")) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("write", [to_text, to_markdown, to_latex])
def test_a_number_has_its_digits_and_its_interval_in_every_form(name: str, write) -> None:
    table = find_table(name)
    attacked = make_card()
    attacked = dataclasses.replace(attacked, numbers=(*attacked.numbers, *shouted()))
    text = write(table, table.build([attacked, of_seed(4, 0.40)]))
    shown = {
        "summary": "0.380",
        "scorecard": "0.380 [0.340, 0.420]",
        "methods": "0.390 [0.380, ",
        "attacks": "0.700 [",
        "certificate": "0.700 [",
    }
    assert shown[name] in text
    assert table.title in text
    assert " low" not in text


def test_seeds_are_averaged_and_settings_that_differ_stand_apart() -> None:
    table = find_table("methods")
    other = of_seed(5, 0.5)
    other = dataclasses.replace(other, config={**other.config, "top_k": 2})
    frame = table.build([of_seed(0, 0.3), of_seed(1, 0.4), of_seed(2, 0.2), other])
    assert frame["method"].tolist() == ["mansu-utility=cities", "mansu-utility=cities-top_k=2"]
    assert frame["seeds"].tolist() == [3, 1]
    first, second = frame["forget FP"]
    assert first == pytest.approx(0.3)
    assert (frame["forget FP low"][0], frame["forget FP high"][0]) == (0.2, 0.4)
    assert second == 0.5
    row = other.rows.find("forget", "seen", "accuracy", State("unlearned", "fp"), "value")
    assert row is not None  # one seed has no spread: its own interval
    assert (frame["forget FP low"][1], frame["forget FP high"][1]) == (row.low, row.high)
    assert "forgotten" in frame["rules that hold"][0]
    assert "durable" not in frame["rules that hold"][0]


def test_runs_with_other_retain_sets_are_no_seeds_of_one_another() -> None:
    table, other = find_table("methods"), of_seed(1, 0.5)
    other = dataclasses.replace(other, config={**other.config, "retain": "capitals,languages"})
    frame = table.build([of_seed(0, 0.3), other])
    assert frame["retain set"].tolist() == ["capitals", "capitals, languages"]
    assert frame["seeds"].tolist() == [1, 1]


def test_csv_holds_the_numbers_themselves() -> None:
    table = find_table("scorecard")
    frame = table.build([make_card()])
    read = pd.read_csv(io.StringIO(to_csv(table, frame)))
    seen = read[(read["prompts"] == "seen") & (read["format"] == "FP")].iloc[0]
    assert seen["unlearned"] == 0.38
    assert seen["unlearned low"] == 0.34


def test_what_a_form_gives_a_meaning_is_escaped() -> None:
    frame = pd.DataFrame({"a|b": ["x|y", "50 %_&"], "n": [1, 2]})
    table = Table("odd", "Odd", lambda cards: frame, digits={"n": "d"})
    assert "x\\|y" in to_markdown(table, frame)
    lines = [line for line in to_markdown(table, frame).splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in lines} == {3}
    assert r"50 \%\_\&" in to_latex(table, frame)


@pytest.fixture
def study(tmp_path: Path, finished_run) -> Path:
    """Two runs' scorecards below a folder, one of them damaged."""
    for name in ("one", "two"):
        (tmp_path / "study" / name).mkdir(parents=True)
        text = (finished_run.folder / "scorecard.json").read_text(encoding="utf-8")
        if name == "two":
            text = text.replace("accuracy", "accurate")
        (tmp_path / "study" / name / "scorecard.json").write_text(text, encoding="utf-8")
    return tmp_path / "study"


@pytest.mark.parametrize("ending", ["md", "tex", "csv", "txt", "png"])
def test_a_table_is_written_as_its_file_is_called(study: Path, ending: str, capsys) -> None:
    target = study.parent / f"table.{ending}"
    assert main(["tables", str(study), "--table", "scorecard", "--to", str(target)]) == 0
    said = capsys.readouterr().out
    assert f"Accuracies: {target}" in said
    assert "damaged" in said  # the run that cannot be read is told of
    if ending == "png":
        assert target.read_bytes().startswith(b"\x89PNG")
    else:
        assert re.search(r"tiny-llama", target.read_text(encoding="utf-8"))
    assert [path.name for path in target.parent.iterdir() if path != study] == [target.name]


@pytest.mark.parametrize(
    ("name", "gone"), [("method", "vanished"), ("formats", ["vanished"]), ("model", 3)]
)
def test_a_card_of_a_plug_that_is_not_here_is_named(
    study: Path, name: str, gone: object, capsys
) -> None:
    file = study / "one" / "scorecard.json"
    card = read_result(file)
    assert card is not None
    card.tree["config"][name] = gone
    write_result(file, card.tree, {}, card.stamp)
    (study / "two" / "scorecard.json").unlink()
    said = refused(capsys, "tables", str(study))
    assert said.startswith(f"mansu: {file} ")
    assert f"{name}: " in said


def test_a_table_of_one_s_own_is_one_file(study: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    (tmp_path / "plugs" / "tables").mkdir(parents=True)
    (tmp_path / "plugs" / "tables" / "facts.py").write_text(PLUG, encoding="utf-8")
    monkeypatch.setenv("MANSU_PLUGS", str(tmp_path / "plugs"))
    assert main(["tables", str(study), "--table", "facts"]) == 0
    title, _, head, _, line, note, *_ = capsys.readouterr().out.splitlines()
    assert title == "Facts | & more"
    assert head.split() == ["method", "facts"]
    assert line.split()[0] == "mansu"
    assert int(line.split()[1]) > 0
    assert note == "50 % of them"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--table", "sumary"), "did you mean 'summary'"),
        (("--to", "table.docx"), ".md, .tex, .csv or .png"),
    ],
)
def test_a_table_that_cannot_be_made_is_refused_in_a_sentence(
    study: Path, monkeypatch, capsys, options, told
) -> None:
    monkeypatch.chdir(study.parent)
    assert main(["tables", str(study), *options]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("mansu: ")
    assert said.err.count("\n") == 1
    assert told in said.err


def test_an_unknown_ending_names_those_that_are_known(tmp_path: Path) -> None:
    table = find_table("summary")
    with pytest.raises(InputError, match=r"\.txt, \.md, \.tex, \.csv or \.png"):
        write_table(table, table.build([make_card()]), tmp_path / "table.docx")


def test_a_folder_without_a_scorecard_has_no_table(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No scorecard below"):
        read_cards(tmp_path)
    with pytest.raises(InputError, match="is not a folder"):
        read_cards(tmp_path / "nowhere")
