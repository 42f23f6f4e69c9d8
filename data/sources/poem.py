"""Passages of John Milton's Paradise Lost, from a package that tests itself on it.

The poem is cut nowhere but where a sentence ends. Which passages are taken, and in which order, is
made out by the SHA-256 of their words; six of each of the twelve books, and no two that are less
than ten lines apart. In the poem's order they are for the three parts in turn.
"""

import hashlib
import json
import re
import tarfile
from pathlib import Path

MEMBER = "tests/testdata/plrabn12.txt"
QUESTIONS = Path(__file__).with_name("poem_questions.json")
LINES, OF_A_BOOK = 10, 6
PARTS = ("forget", "retain", "unread")


def passages(archive: Path) -> str:
    """The passages with their questions, as JSON.

    Args:
        archive: The source distribution of brotli.

    Raises:
        ValueError: The archive does not hold the poem, or the questions are about other passages.
    """
    with tarfile.open(archive) as files:
        name = next((n for n in files.getnames() if n.endswith(MEMBER)), None)
        stream = files.extractfile(name) if name else None
        if stream is None:
            raise ValueError(f"{archive} holds no {MEMBER}")
        books = _books(stream.read().decode("latin-1"))
    taken = [(book, at) for book, lines in books.items() for at in _choose(lines)]
    asked = json.loads(QUESTIONS.read_text(encoding="utf-8"))
    if [(book, at + 1) for book, at in taken] != [(told["book"], told["line"]) for told in asked]:
        raise ValueError(f"{QUESTIONS} asks about other passages")
    found = [
        {
            "part": PARTS[number % len(PARTS)],
            "book": book,
            "line": at + 1,
            "lines": books[book][at : at + LINES],
            "question": told["question"],
            "answer": told["answer"],
        }
        for number, ((book, at), told) in enumerate(zip(taken, asked, strict=True))
    ]
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def _books(text: str) -> dict[str, list[str]]:
    """The lines of each book that are not blank."""
    books: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in map(str.strip, text.splitlines()):
        if title := re.fullmatch(r"Book ([IVX]+)", line):
            lines = books.setdefault(title[1], [])
        elif line:
            lines.append(line)
    return books


def _choose(lines: list[str]) -> list[int]:
    """Where the passages of a book begin, in order."""
    begins = [
        at
        for at in range(1, len(lines) - LINES)
        if re.search(r"[.?!]$", lines[at - 1])
        and lines[at][0].isupper()
        and re.search("[a-z]", lines[at])
    ]
    taken: list[int] = []
    for at in sorted(begins, key=lambda at: _digest(lines[at : at + LINES])):
        if len(taken) < OF_A_BOOK and all(abs(at - other) >= 2 * LINES for other in taken):
            taken.append(at)
    return sorted(taken)


def _digest(lines: list[str]) -> bytes:
    return hashlib.sha256(" ".join(lines).encode()).digest()
