"""Files, YAML and JSON as people give them: one reader each.

A repeated key is a mistake, though either notation would take the last of two values in silence;
and so is a pipe, which a second reader would find empty.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from mansu.errors import quote


class RepeatedError(ValueError):
    """A mapping gives a key twice; its message goes on a sentence that names the file."""

    def __init__(self, key: object, where: str = "") -> None:
        super().__init__(f"gives the key {quote(key)} twice{where}; keep one of them")


def read_source(path: Path) -> bytes:
    """A file's bytes, which whoever asks again gets again.

    Raises:
        OSError: It cannot be read.
        ValueError: It is a pipe, or no file can have that name.
    """
    if path.is_fifo():
        raise ValueError("it is a pipe, which can be read only once; give a file")
    return path.read_bytes()


def parse_yaml(text: str) -> Any:
    """The value of a YAML document, by the safe loader.

    Raises:
        ValueError: It is none, or repeats a key (:class:`RepeatedError`); the message goes on a
            sentence that names the file.
    """
    try:
        return yaml.load(text, _Loader)  # noqa: S506 (a safe loader)
    except RepeatedError:
        raise
    # On a scalar that does not fit its explicit tag, PyYAML lets any lookup's error through.
    except (yaml.YAMLError, RecursionError, ValueError, LookupError, AttributeError) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        where = "" if line is None else f" (line {line + 1})"
        raise ValueError(f"is not valid YAML{where}") from error


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON document.

    Raises:
        ValueError: As :func:`parse_yaml`.
    """
    try:
        return json.loads(text, object_pairs_hook=_mapping)
    except RepeatedError:
        raise
    except (ValueError, RecursionError) as error:
        raise ValueError("is not valid JSON") from error


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, except that a mapping gives each key once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:  # before << is filled in, whose keys a mapping may override
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in seen:
                    raise RepeatedError(key.value, f" (line {key.start_mark.line + 1})")
                seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep)


def _mapping(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise RepeatedError(key)
        found[key] = value
    return found
