"""The file of a search: what it was a search on, and by method all that was tried and was chosen.

``study`` holds what every training had, as the study's file says it, so that the file is known
wherever it lies: a search goes on in its own file and in no other's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from mansu.errors import InputError
from mansu.study.cache.records import write_text
from mansu.study.config_file import read_config
from mansu.study.tuning import Tried, choose

_STUDY, _METHODS = "study", "methods"  # the keys of the file


@dataclass(frozen=True)
class Entry:
    """What a search found for one method.

    Attributes:
        chosen: The setting that is taken.
        finished: Whether the search is over.
        tried: All that was tried.
    """

    chosen: dict[str, float]
    finished: bool
    tried: tuple[Tried, ...]

    @classmethod
    def of(cls, tried: tuple[Tried, ...], finished: bool) -> "Entry":
        """With the choice among what was tried."""
        return cls(choose(tried).settings, finished, tried)

    def line(self) -> dict[str, Any]:
        """As it is written down."""
        tried = [one.line() for one in self.tried]
        return {"chosen": self.chosen, "finished": self.finished, "tried": tried}


_ENTRIES = TypeAdapter(dict[str, Entry])


def read_entries(path: Path) -> dict[str, Entry]:
    """What a search wrote, by method.

    Raises:
        InputError: The file is none that `mansu tune` wrote, or it is damaged.
    """
    try:
        return _ENTRIES.validate_python(_whole(read_config(path)[_METHODS]))
    except (ValidationError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} holds no tuned settings, or is damaged; mansu tune writes such files: give "
            "another one."
        ) from error


def _whole(entries: Any) -> dict[str, Any]:
    """Entries with what is left out where there is none."""
    return {
        name: {**entry, "tried": [{"check": None, **one} for one in entry["tried"]]}
        for name, entry in entries.items()
    }


def read_own(path: Path, study: Mapping[str, Any]) -> dict[str, Entry]:
    """What earlier slices of a study's search wrote; nothing where there is no file.

    Args:
        path: The file.
        study: What the search is on.

    Raises:
        InputError: It holds another study's search, or it is none that `mansu tune` wrote.
    """
    if not path.exists():
        return {}
    found, there = read_entries(path), read_config(path).get(_STUDY)
    if not isinstance(there, dict):
        raise InputError(f"{path} does not say what it was a search on; give another with --out.")
    names = [str(n) for n in {**study, **there} if study.get(n) != there.get(n)]
    if names:
        raise InputError(
            f"{path} holds the search of another study (it differs in {', '.join(names)}); give "
            "another file with --out."
        )
    return found


def write_entries(path: Path, study: Mapping[str, Any], entries: Mapping[str, Entry]) -> None:
    """Writes the file.

    Raises:
        RunError: It cannot be written.
    """
    lines = {name: entry.line() for name, entry in entries.items()}
    write_text(path, yaml.safe_dump({_STUDY: dict(study), _METHODS: lines}, sort_keys=False))


def read_tuned(path: Path) -> dict[str, dict[str, float]]:
    """The settings chosen, by method.

    Raises:
        InputError: The file is none that `mansu tune` wrote, or the search is not finished:
            settings chosen from a part of it would not be the same chance for all.
    """
    entries = read_entries(path)
    if begun := [name for name, entry in entries.items() if not entry.finished]:
        raise InputError(f"{path}: the search for {begun[0]} is not over; run mansu tune again.")
    return {name: entry.chosen for name, entry in entries.items()}
