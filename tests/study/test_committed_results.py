"""What the README's tables are made of is committed, and they say the same."""

from pathlib import Path

import pytest

from mansu.study.comeback import read_map
from mansu.study.folders import variant
from mansu.study.scorecard import Scorecard
from mansu.study.state import State
from mansu.study.table_files import write_table
from mansu.study.tables import build_table, find_table, read_cards
from mansu.sweep.grid import expand, read_study

ROOT = Path(__file__).parents[2]
STUDIES = ROOT / "papermill_runs" / "studies"
CARDS = ROOT / "docs" / "cards" / "methods"


@pytest.fixture(scope="module")
def cards() -> list[Scorecard]:
    found = [card for card in read_cards(CARDS).values() if isinstance(card, Scorecard)]
    assert len(found) == len(list(CARDS.iterdir()))  # of these rules, and none damaged
    return found


def test_the_cards_are_those_of_the_study_one_a_method(cards: list[Scorecard]) -> None:
    methods = read_study(STUDIES / "methods.yaml").methods
    assert sorted(str(card.config["method"]) for card in cards) == sorted(methods)


@pytest.mark.parametrize("name", ["methods", "attacks"])
def test_a_committed_table_is_what_the_cards_say(
    cards: list[Scorecard], tmp_path: Path, name: str
) -> None:
    table = find_table(name)
    write_table(table, build_table(table, cards), tmp_path / "table.md")
    assert (tmp_path / "table.md").read_text() == (ROOT / "docs" / f"{name}.md").read_text()


def test_the_readme_s_line_of_a_method_is_what_its_card_says(cards: list[Scorecard]) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.split("|")] for line in readme if line.count("|") == 11]
    lines = {cells[1].strip("`"): cells for cells in rows}
    frame = build_table(find_table("methods"), cards)
    for (_, row), card in zip(frame.iterrows(), cards, strict=True):
        cells = lines[str(card.config["method"])]
        for form, told in (("FP", cells[2]), ("NF4", cells[3])):
            ends = [row[f"forget {form}{end}"] for end in ("", " low", " high")]
            assert told == "{:.2f} [{:.2f}, {:.2f}]".format(*ends)
        for name, told in (("retain", cells[5]), ("neighbours", cells[6]), ("utility", cells[7])):
            assert told == " / ".join(f"{100 * row[f'Δ {name} {f}']:+.1f}" for f in ("FP", "NF4"))
        assert cells[8] == " / ".join(f"{row[f'CAD {form}']:.2f}" for form in ("FP", "NF4"))
        assert cells[10] == card.word


def test_gu_cone_on_the_circuit_ends_where_the_readme_says() -> None:
    (card,) = read_cards(ROOT / "docs" / "cards" / "others").values()
    assert isinstance(card, Scorecard)  # of these rules
    assert card.config["settings"]["matrices"] == "circuit"
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    for form in ("fp", "nf4"):
        row = card.rows.at("forget", "seen", "accuracy", State("unlearned", form), "value")
        assert f"{row.value:.2f} [{row.low:.2f}, {row.high:.2f}]" in readme


def test_the_map_of_formats_has_each_run_of_its_study_in_each_format() -> None:
    found = read_map(ROOT / "papermill_runs" / "reference" / "formats.json")
    runs = expand(read_study(STUDIES / "formats.yaml"))
    asked = {(variant(config), form) for config in runs for form in config.formats}
    assert {(one.method, one.format) for one in found} == asked
