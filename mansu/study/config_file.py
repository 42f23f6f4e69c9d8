"""Configuration values as YAML: files, pasted texts, and what a dashboard gives to copy."""

import dataclasses
from pathlib import Path
from typing import Any

import yaml

from mansu.errors import InputError
from mansu.notation import parse_yaml, read_source
from mansu.paths import expand
from mansu.study.config import StudyConfig


def read_config(path: str | Path) -> dict[str, Any]:
    """Reads a YAML file of configuration values.

    Raises:
        InputError: The file is missing, unreadable, or not a mapping of keys to values.
    """
    try:
        text = read_source(expand(path)).decode()
    except (OSError, ValueError) as error:  # ValueError: not UTF-8, or a null in the path
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path} cannot be read ({reason}); give a YAML file.") from error
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
        values = parse_yaml(text)
    except ValueError as error:
        raise InputError(f"Configuration {name} {error}.") from error
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise InputError(f"Configuration {name} must be a mapping of keys to values.")
    if isinstance(values.get("mansu"), dict):  # the stamp of a run's own config.json
        del values["mansu"]
    return values


def to_yaml(config: StudyConfig) -> str:
    """The configuration as YAML that :func:`read_config` reads back."""
    return yaml.safe_dump(dataclasses.asdict(config), sort_keys=False)  # pyright: ignore
