"""The options of ``mansu run`` and ``mansu plan``: the configuration's fields, by the method."""

import argparse
import dataclasses
from collections.abc import Iterable, Sequence
from contextlib import suppress

from mansu.errors import InputError, quote
from mansu.paths import expand
from mansu.registry import plugs
from mansu.study.config import (
    FIELDS,
    RELEARN,
    StudyConfig,
    choices,
    default_of,
    defaults,
    describe,
    make_config,
    own_fields,
)
from mansu.study.config_file import read_config
from mansu.study.own_settings import METHODS, others

_NO_FIELDS = {"command", "config", "study", "out", "shared", "settings", "json", "junit", "rules"}


def add_config(parser: argparse.ArgumentParser, method: str) -> None:
    """Adds an option for every field, and for every setting of a method.

    Args:
        parser: The command.
        method: The method whose settings are options, too.
    """
    parser.add_argument("--config", type=expand, help="YAML file of the values below")
    group = parser.add_argument_group("configuration; an option overrides the file's value")
    own = defaults(method)
    for field in FIELDS:
        if field.name == "settings":
            continue
        given = field.name in ("floor", "formats")  # which the method has a say in
        default = getattr(own, field.name) if given else default_of(field)
        add_field(group, field, default)
    group.add_argument(
        f"--{RELEARN}",
        action=argparse.BooleanOptionalAction,
        default=argparse.SUPPRESS,
        help=f"whether {RELEARN} is one of the attacks",
    )
    group = parser.add_argument_group(
        f"settings of {method} (--method NAME --help has another one's)",
        "Each as an option of its own, or all as --set NAME=VALUE.",
    )
    group.add_argument(
        "--set",
        dest="settings",
        metavar="NAME=VALUE",
        action="append",
        default=argparse.SUPPRESS,
        help="one of the method's own settings; as often as needed",
    )
    for field in own_fields(method):
        add_field(group, field, default_of(field))
    for name in sorted(others(method)):  # refused by name, once the configuration is made
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, dest=name, default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def add_field(group: argparse._ArgumentGroup, field: dataclasses.Field, default: object) -> None:
    default = ",".join(default) or "none" if isinstance(default, tuple) else default
    name = f"--{field.name.replace('_', '-')}"
    group.add_argument(
        name,
        dest=field.name,
        default=argparse.SUPPRESS,
        choices=choices(field),
        metavar=None if choices(field) else _kind(default),
        help=f"{describe(field)} (default: {default})".replace("%", "%%"),
    )


def named_method(words: Sequence[str]) -> str:
    """The method that a command line names, itself or in its file, whose settings it may hold."""
    peek = argparse.ArgumentParser(add_help=False, exit_on_error=False, allow_abbrev=False)
    peek.add_argument("--method")
    peek.add_argument("--config")
    with suppress(argparse.ArgumentError, InputError):
        found, _ = peek.parse_known_args(words)
        name = found.method or (found.config and read_config(found.config).get("method"))
        if isinstance(name, str) and name in plugs(METHODS):
            return name
    return StudyConfig().method


def _kind(default: object) -> str:
    return {int: "INT", float: "FLOAT"}.get(type(default), "TEXT")


def read_options(options: argparse.Namespace) -> StudyConfig:
    """The configuration that a command line gives, with its file's values beneath.

    Raises:
        InputError: As from :func:`mansu.study.config.make_config`.
    """
    values = read_config(options.config) if options.config else {}
    named = {k: v for k, v in vars(options).items() if k not in _NO_FIELDS}
    return make_config(values | named | _pairs(getattr(options, "settings", ())))


def _pairs(words: Iterable[str]) -> dict[str, str]:
    """NAME=VALUE words as a mapping.

    Raises:
        InputError: One is none.
    """
    pairs = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not sign or not name.isidentifier():
            raise InputError(f"--set {quote(word)}: give NAME=VALUE, such as --set steps=50.")
        pairs[name] = value
    return pairs
