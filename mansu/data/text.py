"""The plain English text on which the loss of a language model is measured."""

from pathlib import Path

from mansu.data.folder import require_data_folder
from mansu.errors import InputError


def utility_file() -> Path:
    """Where it lies."""
    return require_data_folder() / "utility_text.txt"


def utility_text() -> str:
    """A text in the public domain of more than 10,000 tokens, a paragraph a line.

    ``data/README.md`` says which.

    Raises:
        InputError: The file is not there.
    """
    path = utility_file()
    if not path.is_file():
        raise InputError(f"The utility text {path} is missing; restore it from the repository.")
    return path.read_text(encoding="utf-8")
