"""Deployment formats, one file each: what a model's weights become when it is released."""

from mansu.quant.formats.base import Format as Format
from mansu.quant.formats.base import weightwise as weightwise
from mansu.registry import load


def find_format(name: str) -> Format:
    """A format by its name.

    Raises:
        InputError: There is none of that name.
    """
    return load(__name__, "FORMAT", name)
