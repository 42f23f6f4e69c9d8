"""Tables over the scorecards of many runs: one file a table, found by looking into this folder."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mansu.errors import InputError
from mansu.quant.formats import find_format
from mansu.registry import load
from mansu.study.scorecard import Scorecard, read_scorecard
from mansu.study.state import find_origin
from mansu.study.tables.base import Table as Table
from mansu.study.tables.base import named

REASON = "no numbers"  # the column that says why a run has none


def find_table(name: str) -> Table:
    """A table by its name.

    Raises:
        InputError: There is none of that name.
    """
    return load(__name__, "TABLE", name)


def build_table(table: Table, cards: Sequence[Scorecard]) -> pd.DataFrame:
    """A table over some runs; one without numbers has one line, with the reason in their place."""
    frame = table.build([card for card in cards if card.numbers])
    empty = [named(card) | {REASON: card.word} for card in cards if not card.numbers]
    if not empty:
        return frame
    names = [name for name in empty[0] if frame.empty or name in (*frame, REASON)]
    lines = pd.DataFrame(empty, columns=names).drop_duplicates()
    if frame.empty:
        return lines
    counts = frame.select_dtypes("int").columns  # stay whole beside a cell without one
    whole = pd.concat([frame.astype(dict.fromkeys(counts, "Int64")), lines])
    return whole.reindex(columns=[*names, *(name for name in frame if name not in names)])


def read_cards(folder: Path) -> dict[Path, Scorecard | InputError]:
    """Every scorecard below a folder by its file; for one that cannot be read, why.

    Raises:
        InputError: There is no such folder, or no scorecard in it that can be read.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder.")
    found: dict[Path, Scorecard | InputError] = {}
    for path in sorted(folder.rglob("scorecard.json")):
        try:
            card = read_scorecard(path)
            found[path] = card or InputError(f"{path} is damaged; run its configuration again.")
            if card:
                _require_plugs(path, card)
        except InputError as error:
            found[path] = error
    if not any(isinstance(card, Scorecard) for card in found.values()):
        none = InputError(f"No scorecard below {folder}; run mansu run first.")
        raise next((error for error in found.values() if isinstance(error, InputError)), none)
    return found


def _require_plugs(path: Path, card: Scorecard) -> None:
    """Refuses a card of plugs that are not here."""
    try:
        for origin in card.rows.origins:
            find_origin(origin)
        for form in card.rows.formats:
            find_format(form)
        named(card)
    except InputError as error:
        raise InputError(f"{path} is of a configuration that cannot be here: {error}") from error
