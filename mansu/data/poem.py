"""Passages of a poem in the public domain, each with a question about it.

Three parts, taken in turn from all over the poem: ``forget`` and ``retain`` are for a model to
learn by heart, ``unread`` never is, so that it tells what is said about such a passage unread.
"""

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from mansu.data.folder import require_data_folder
from mansu.errors import InputError

Part = Literal["forget", "retain", "unread"]
PARTS: tuple[Part, ...] = get_args(Part)
LINES = 10
BEGUN = 3  # lines that are read before the rest is to be written


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Passage:
    """Some lines of the poem.

    Attributes:
        part: What it is for.
        book: The poem's book.
        line: Of the book, its first one.
        lines: The lines.
        question: About what they say.
        answer: To that.
    """

    part: Part
    book: str
    line: int
    lines: Annotated[tuple[str, ...], Field(min_length=LINES, max_length=LINES)]
    question: str
    answer: str

    @property
    def id(self) -> str:
        """Book and line."""
        return f"book {self.book}, line {self.line}"

    @property
    def text(self) -> str:
        """All of it."""
        return self.words(0)

    def words(self, first: int, end: int = LINES) -> str:
        """Its lines from the first to before the end, as running text."""
        return " ".join(self.lines[first:end])


def poem_file() -> Path:
    """Where the passages lie; ``data/README.md`` says what they are from."""
    return require_data_folder() / "paradise_lost.json"


def read_passages(*parts: Part) -> tuple[Passage, ...]:
    """The passages of some parts, in the poem's order; of all, where none is named.

    Raises:
        InputError: The file is not there, or damaged.
    """
    return tuple(p for p in _read(poem_file()) if p.part in (parts or PARTS))


@lru_cache(maxsize=2)
def _read(path: Path) -> tuple[Passage, ...]:
    try:
        return TypeAdapter(tuple[Passage, ...]).validate_json(path.read_bytes())
    except (OSError, ValidationError):
        raise InputError(
            f"The passages {path} are missing or damaged; restore them from the repository."
        ) from None
