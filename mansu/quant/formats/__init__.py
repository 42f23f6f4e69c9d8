"""Deployment formats, one file each: what a model's weights become when it is released."""

from mansu.errors import InputError
from mansu.quant.codebook import Codebook
from mansu.quant.formats.base import Format as Format
from mansu.quant.formats.base import blockwise as blockwise
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
