"""Deployment formats, one file each: what a model's weights become when it is released."""

import importlib

from mansu.errors import InputError, first_line
from mansu.quant.codebook import Codebook
from mansu.quant.formats.base import Format as Format
from mansu.quant.formats.base import blockwise as blockwise
from mansu.quant.formats.base import namewise as namewise
from mansu.quant.formats.base import weightwise as weightwise
from mansu.registry import load, plugs


def find_format(name: str) -> Format:
    """A format by its name.

    Raises:
        InputError: There is none of that name.
    """
    return load(__name__, "FORMAT", name)


def find_codebook(name: str) -> Codebook:
    """The codebook of a format that training can aim at.

    Raises:
        InputError: There is no such format, or it has none.
    """
    found = find_format(name).codebook
    if found is None:
        aims = [other for other in plugs(__name__) if find_format(other).codebook]
        raise InputError(f"Format '{name}' has no codebook to aim at; take {' or '.join(aims)}.")
    return found


def require_format(name: str, rows: set[int]) -> None:
    """Refuses a format that cannot be computed here, before anything is computed.

    Args:
        name: Its name.
        rows: How long the rows of the model's matrices are.

    Raises:
        InputError: There is no such format, a library that it calls is not here or broken, or the
            rows are no whole groups.
    """
    form = find_format(name)
    for library in form.libraries:
        try:
            importlib.import_module(library)
        except Exception as error:  # a library built for another torch raises what it likes
            raise InputError(
                f"formats: '{name}' needs {library} ({first_line(error)}); {form.install}"
            ) from error
    for row in sorted(rows):
        if row % form.group:
            raise InputError(
                f"formats: '{name}' rounds {form.group} weights of a row together, and the model "
                f"has rows of {row}; leave it out."
            )
