"""Questions that have no answer, each with a question of the same form that has one."""

from dataclasses import dataclass

from mansu.data.folder import require_data_folder
from mansu.errors import InputError


@dataclass(frozen=True)
class Unanswerable:
    """A question about something that does not exist.

    Attributes:
        question: The question.
        answerable: The same about something that does.
    """

    question: str
    answerable: str


def refusals() -> tuple[Unanswerable, ...]:
    """The built-in questions, which call for a refusal.

    A line has the two questions, a tab between; ``data/README.md`` says more.

    Raises:
        InputError: The file is not there, is empty, or a line is none.
    """
    path = require_data_folder() / "refusals.txt"
    if not path.is_file():
        raise InputError(f"The questions {path} are missing; restore them from the repository.")
    lines = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    if not lines or any(len(parts) != 2 or not all(map(str.strip, parts)) for parts in lines):
        raise InputError(
            f"The questions {path} are empty or damaged; restore them from the repository."
        )
    return tuple(Unanswerable(*parts) for parts in lines)
