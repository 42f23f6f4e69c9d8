"""What a weight's name tells: its decoder block and its matrix."""

import re

_LAYER = re.compile(r"(?:^|\.)layers\.(\d+)\.")
_PROJECTION = re.compile(r"([^.]+)\.weight$")


def find_layer(name: str) -> int | None:
    """The decoder block of a weight, or None for one outside the blocks."""
    found = _LAYER.search(name)
    return int(found[1]) if found else None


def layer_of(name: str) -> int:
    """The decoder block of a weight that lies in one."""
    return int(_LAYER.findall(name)[0])


def projection_of(name: str) -> str | None:
    """``gate_proj`` and so on: the module that owns the weight."""
    found = _PROJECTION.search(name)
    return found[1] if found else None


def inside(name: str, first: int) -> str:
    """A block's weight as it is called in a decoder that begins with block ``first``."""
    return f"layers.{layer_of(name) - first}.{_LAYER.split(name)[-1]}"
