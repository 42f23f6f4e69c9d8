"""Shows or writes what many runs found: their scorecards, or one table over them."""

from pathlib import Path

from mansu.errors import InputError
from mansu.study.card_text import scorecard_table
from mansu.study.outputs import require_file
from mansu.study.scorecard import Scorecard
from mansu.study.table_files import to_text, write_table
from mansu.study.tables import build_table, find_table, read_cards


def print_tables(folder: Path, name: str | None, target: Path | None) -> None:
    """Prints every scorecard below a folder, or a table over them, or writes that to a file.

    Args:
        folder: A run, a study, or many.
        name: The table; None prints the scorecards, and writes the summary.
        target: The file; its ending says as what.

    Raises:
        InputError: No such table or ending, or no scorecard, or the file cannot lie there.
        RunError: The file cannot be written.
    """
    if target is not None:
        require_file(target)
    table = find_table(name or "summary")
    found = read_cards(folder)
    cards = [card for card in found.values() if isinstance(card, Scorecard)]
    if target is not None:
        if target.suffix == ".png":
            from mansu.lab.charts.table import write_picture as write
        else:
            write = write_table
        write(table, build_table(table, cards), target)
        print(f"{table.title}: {target}")
    elif name is not None:
        print(to_text(table, build_table(table, cards)))
    for path, card in found.items():
        if isinstance(card, InputError):
            print(f"{path.parent}\n\n{card}\n")
        elif target is None and name is None:
            print(f"{path.parent}\n\n{scorecard_table(card)}\n")
