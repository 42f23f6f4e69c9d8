"""Configuration values as YAML: files, pasted texts, and what a dashboard gives to copy."""

import dataclasses
from pathlib import Path
from typing import Any

import yaml

from mansu.errors import NO_YAML, InputError, quote
from mansu.paths import expand
from mansu.study.config import StudyConfig


def read_config(path: str | Path) -> dict[str, Any]:
    """Reads a YAML file of configuration values.

    Raises:
        InputError: The file is missing, unreadable, or not a mapping of keys to values.
    """
    try:
        text = expand(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:  # ValueError: not UTF-8, or a null in the path
        raise InputError(f"Configuration {path} cannot be read: {error}.") from error
    return parse_config(text, str(path))


def parse_config(text: str, name: str) -> dict[str, Any]:
    """Reads configuration values from YAML text.

    Args:
        text: The YAML.
        name: What an error calls it.

    Raises:
        InputError: It is not a mapping of keys to values, or gives a key twice.
    """
    try:
        values = yaml.load(text, _Loader)  # noqa: S506 (a safe loader)
    except _RepeatedError as error:
        raise InputError(f"Configuration {name} gives {error}; keep one of them.") from error
    except NO_YAML as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        where = "" if line is None else f" (line {line + 1})"
        raise InputError(f"Configuration {name} is not valid YAML{where}.") from error
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise InputError(f"Configuration {name} must be a mapping of keys to values.")
    if isinstance(values.get("mansu"), dict):  # the stamp of a run's own config.json
        del values["mansu"]
    return values


class _RepeatedError(Exception):
    """A key that a file gives twice; YAML would take the last in silence."""


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, except that a mapping gives each key once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:  # before << is filled in, whose keys a mapping may override
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in seen:
                    line = key.start_mark.line + 1
                    raise _RepeatedError(f"the key {quote(key.value)} twice (line {line})")
                seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep)


def to_yaml(config: StudyConfig) -> str:
    """The configuration as YAML that :func:`read_config` reads back."""
    return yaml.safe_dump(dataclasses.asdict(config), sort_keys=False)  # pyright: ignore
