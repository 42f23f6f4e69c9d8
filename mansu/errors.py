"""The ways a run can end without numbers, each told in one sentence that names the way out."""

import reprlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from safetensors import SafetensorError

MOST = 2000  # characters of a message


class _ToldError(Exception):
    """Its message is one line, fit to be printed, whatever file or shell it quotes."""

    def __init__(self, message: str) -> None:
        if len(message) > MOST:  # the way out stands at the end
            message = f"{message[: MOST // 2]} … {message[-MOST // 2 :]}"
        super().__init__("".join(map(_printable, message)))


class InputError(_ToldError, ValueError):
    """What the user asked for cannot be done; the command line exits with code 2."""


class RunError(_ToldError, RuntimeError):
    """A run went wrong on the way (non-finite loss, full disk); finished stages are kept."""


class NoResultError(RunError):
    """A method has no result on this model or data, and that is what came out of the run.

    A stage keeps it and raises it again when it is asked, so that nothing is tried twice; the run
    ends normally, with a scorecard that says why it has no numbers.

    Args:
        word: The reason in a few words, for a table's cell.
        message: The reason in one sentence, with the way out.
    """

    def __init__(self, word: str, message: str) -> None:
        super().__init__(message)
        self.word = word


def first_line(error: BaseException) -> str:
    """An error's kind and the first line of its message, for the middle of a sentence.

    A line that only announces the next one (torch: ``Error(s) in loading state_dict for …:``) says
    nothing.
    """
    lines = str(error).strip().splitlines()
    told = [line.strip() for line in lines if not line.endswith(":")] or lines
    return ": ".join([type(error).__name__, *(line[:240] for line in told[:1])])


@contextmanager
def saving(what: object, way_out: str) -> Iterator[None]:
    """Tells of a disk that is full or cannot be written, whichever library finds out.

    Raises:
        RunError: It is; the message names what cannot be written and the way out.
    """
    try:
        yield
    except Exception as error:
        # The tokenizers library raises a bare Exception.
        if not isinstance(error, (OSError, SafetensorError)) and type(error) is not Exception:
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise RunError(f"{what} cannot be written ({reason}); {way_out}.") from error


def _printable(character: str) -> str:
    if character.isprintable():
        return character
    return " " if character.isspace() else repr(character)[1:-1]


def quote(value: object) -> str:
    """A value from a file, short enough for an error message however large it is."""
    try:
        return reprlib.repr(value)
    except ValueError:  # an integer that Python refuses to print
        return "a number of too many digits"


def enumerate_some(problems: Sequence[str], most: int = 5) -> str:
    """The first problems, and how many more there are."""
    more = [f"and {len(problems) - most} more"] if len(problems) > most else []
    return "; ".join([*problems[:most], *more])
