"""Rows of a benchmark: from a folder on this machine, or from the hub through ``datasets``."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from mansu.errors import InputError
from mansu.notation import RepeatedError, parse_json

Rows = tuple[dict[str, Any], ...]


def _read_parquet(file: Path) -> list[dict[str, Any]]:
    import pyarrow.parquet

    try:
        return pyarrow.parquet.read_table(file).to_pylist()
    except (OSError, pyarrow.ArrowException):
        raise InputError(f"{file} is no whole parquet file; fetch it again.") from None


def _read_lines(file: Path) -> list[dict[str, Any]]:
    rows = []
    for number, line in enumerate(file.read_bytes().split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            row = parse_json(line)
        except RepeatedError as error:
            raise InputError(f"{file}, line {number}: it {error}.") from None
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise InputError(f"{file}, line {number}: it is no JSON object; fetch it again.")
        rows.append(row)
    return rows


# How a file is read, by its ending; not through `datasets`, which would keep a copy of its own.
_KINDS = {".parquet": _read_parquet, ".jsonl": _read_lines, ".json": _read_lines}


@dataclass(frozen=True)
class Source:
    """Where a benchmark's rows come from.

    Attributes:
        folder: Where its files are looked for first: those whose names begin with the split's.
        hub: The dataset on the hub.
        name: Its configuration there; None where it has one.
        split: The split.
        fetched: Whether it is read from the hub where there is no such folder.
    """

    folder: Path
    hub: str
    name: str | None = None
    split: str = "test"
    fetched: bool = True


def read_rows(source: Source) -> Rows:
    """The rows of a split, in their order.

    Raises:
        InputError: They are not here and cannot be had, or cannot be read, or there are none.
    """
    files = _files(source)
    if files:
        rows = _read(tuple((file, file.stat().st_mtime_ns) for file in files))
    elif source.fetched and not source.folder.exists():
        rows = _fetch(source)
    else:
        raise InputError(_missing(source))
    if not rows:
        raise InputError(f"its split {source.split!r} is empty; give one with rows.")
    return rows


def _files(source: Source) -> list[Path]:
    """The files of a split, all of one kind."""
    for ending in _KINDS:
        # The split's own: those of forget_qa_icl are none of forget_qa.
        own = re.compile(rf"{re.escape(source.split)}([-.].*)?{re.escape(ending)}")
        found = sorted(f for f in source.folder.glob(f"*{ending}") if own.fullmatch(f.name))
        if found:
            return found
    return []


def _missing(source: Source, reason: str = "") -> str:
    name = f", configuration {source.name}," if source.name else ""
    files = " or ".join(f"{source.split}*{ending}" for ending in (".parquet", ".jsonl"))
    return (
        f"its questions are not here{reason}: fetch the dataset {source.hub}{name} from the hub "
        f"and put its files, {files}, into {source.folder}."
    )


@lru_cache(maxsize=8)  # several runs of a study open the same set, each more than once
def _read(files: tuple[tuple[Path, int], ...]) -> Rows:
    """The rows of files, by themselves and the times of their last change."""
    return tuple(row for file, _ in files for row in _KINDS[file.suffix](file))


def _fetch(source: Source) -> Rows:
    import datasets

    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)  # what fails is told below
    try:
        table = datasets.load_dataset(source.hub, source.name, split=source.split)
    except Exception as error:  # no network, no such dataset, no permission, …
        reason = f", and the hub does not give them ({type(error).__name__})"
        raise InputError(_missing(source, reason)) from None
    return tuple(dict(row) for row in table)  # pyright: ignore


def value_at(row: Mapping[str, Any], name: str, where: str) -> Any:
    """What stands in a column, or in a field of one (``a.b``).

    Args:
        row: The row.
        name: The column.
        where: What the row is called in an error.

    Raises:
        InputError: There is no such column.
    """
    found: Any = row
    for part in name.split("."):
        if not isinstance(found, Mapping) or part not in found:
            there = ", ".join(map(str, row))
            raise InputError(f"{where}: there is no column {name!r}; there are {there}.")
        found = found[part]
    return found


def text_at(row: Mapping[str, Any], name: str, where: str) -> str:
    """The text in a column.

    Raises:
        InputError: There is no such column, or no text in it.
    """
    text = value_at(row, name, where)
    if not isinstance(text, str) or not text.strip():
        raise InputError(f"{where}: {name!r} must be a text that is not blank.")
    return text


def texts_at(row: Mapping[str, Any], name: str, where: str) -> list[str]:
    """The list of texts in a column.

    Raises:
        InputError: There is no such column, or no such list in it.
    """
    texts = value_at(row, name, where)
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise InputError(f"{where}: {name!r} must be a list of texts.")
    return texts


def columns_of(rows: Sequence[Mapping[str, Any]], *columns: str) -> list[tuple[str, ...]]:
    """Texts of every row, without white space around them.

    Raises:
        InputError: A row lacks one.
    """
    return [
        tuple(text_at(row, column, f"row {number}").strip() for column in columns)
        for number, row in enumerate(rows)
    ]
