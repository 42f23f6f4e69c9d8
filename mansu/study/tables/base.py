"""What a table over many runs is, as far as those who print it must know."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from mansu.data.facts import several
from mansu.paths import short_name
from mansu.study.config import make_config
from mansu.study.folders import variant
from mansu.study.scorecard import Row, Scorecard

# Where the ends of a number's interval stand beside its column, in every table.
LOW, HIGH = " low", " high"
ALIKE = ("model", "forget", "retain set", "method")  # what runs share that differ in their seed


@dataclass(frozen=True)
class Layout:
    """How a frame is written.

    Attributes:
        title: What stands above it.
        digits: How the numbers of a column are written; ``.3f`` where nothing is said.
        note: What stands below it.
    """

    title: str
    digits: Mapping[str, str] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class Table:
    """A table over the scorecards of many runs, and its layout.

    Attributes:
        name: As the shell names it.
        title: What stands above it.
        build: Scorecards that have numbers to a frame of one line an entry. Numbers stay numbers; a
            number's interval stands in two more columns, called as the number's with `LOW` and
            `HIGH` behind.
        digits: How the numbers of a column are written; ``.3f`` where nothing is said.
        note: What stands below it.
    """

    name: str
    title: str
    build: Callable[[Sequence[Scorecard]], pd.DataFrame]
    digits: Mapping[str, str] = field(default_factory=dict)
    note: str = ""


def named(card: Scorecard) -> dict[str, Any]:
    """What sets a run apart, column by column.

    Raises:
        InputError: A plug that its configuration names is not here.
    """
    config = make_config(card.config)
    return {
        "model": short_name(config.model),
        "forget": short_name(config.forget),
        "retain set": ", ".join(map(short_name, several(config.retain))),
        "method": variant(config),
        "seed": config.seed,
    }


def alike(cards: Sequence[Scorecard]) -> dict[tuple[str, ...], list[Scorecard]]:
    """Cards that differ in their seed alone, by the values of `ALIKE`."""
    groups: dict[tuple[str, ...], list[Scorecard]] = {}
    for card in cards:
        name = named(card)
        groups.setdefault(tuple(name[key] for key in ALIKE), []).append(card)
    return groups


def put(entry: dict[str, Any], name: str, row: Row | None, ends: bool = False) -> None:
    """Puts a number into a line, with its interval's ends where they are asked for."""
    entry[name] = None if row is None else row.value
    if ends:
        entry[name + LOW] = None if row is None else row.low
        entry[name + HIGH] = None if row is None else row.high
