"""One unlearning method a file: what it trains, which checkpoint it keeps, its own defaults."""

from mansu.registry import load
from mansu.unlearn.methods.base import Method as Method


def find_method(name: str) -> Method:
    """A method by its name.

    Raises:
        InputError: There is none of that name.
    """
    return load(__name__, "METHOD", name)
