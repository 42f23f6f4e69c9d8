"""The plain English texts on which perplexity is measured."""

from mansu.data.folder import require_data_folder
from mansu.errors import InputError


def utility_text() -> str:
    """A short passage in the public domain (``data/README.md`` says which).

    Raises:
        InputError: The file is not there.
    """
    return _read("utility_text.txt")


def long_text() -> str:
    """A longer one, of more than 10,000 tokens, a paragraph a line.

    Raises:
        InputError: The file is not there.
    """
    return _read("long_text.txt")


def _read(name: str) -> str:
    path = require_data_folder() / name
    if not path.is_file():
        raise InputError(f"The utility text {path} is missing; restore it from the repository.")
    return path.read_text(encoding="utf-8")
