"""A method's own settings in a configuration: one checked mapping, whoever wrote it down."""

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

from pydantic import TypeAdapter
from pydantic import ValidationError as Invalid
from pydantic_core import ErrorDetails

from mansu.errors import quote
from mansu.notation import RepeatedError, parse_yaml
from mansu.registry import plugs
from mansu.unlearn.methods import find_method
from mansu.unlearn.methods.base import Method

METHODS = "mansu.unlearn.methods"


def own_fields(method: str) -> tuple[dataclasses.Field[Any], ...]:
    """The fields of a method's own settings."""
    return dataclasses.fields(find_method(method).settings)


def read(method: Method, values: dict[str, Any], known: Collection[str]) -> tuple[Any, list[str]]:
    """Takes a method's settings out of a configuration's values.

    They stand under ``settings``, as a mapping or as YAML (which is how a shell gives it to
    papermill), or beside the other fields; what stands there wins.

    Args:
        method: The method.
        values: The configuration's values; the settings are taken out.
        known: Names of the configuration's own fields.

    Returns:
        The settings, or None, and what is wrong with them.
    """
    given, told = as_mapping(values.pop("settings", {}))
    own = [field.name for field in own_fields(method.name)]
    given |= {name: values.pop(name) for name in list(values) if name in own}
    for name in [name for name in (*given, *values) if name not in known and name not in own]:
        if isinstance(name, str) and name in others(method.name):
            told.append(f"{name}: {method.name} has no such setting; it has {', '.join(own)}")
            for held in (given, values):
                held.pop(name, None)
        elif name in given:
            told.append(f"{quote(str(name))} is no setting of {method.name}")
            given.pop(name)
    try:
        return TypeAdapter(method.settings).validate_python(given), told
    except Invalid as error:
        wrong = [
            f"{problem['loc'][0]}: {told_of(problem)}"
            for problem in error.errors(include_url=False)
        ]
        return method.settings(), [*told, *wrong]


def others(method: str) -> set[str]:
    """Names of settings that other methods have and this one has not."""
    return _every_name() - {field.name for field in own_fields(method)}


def spared(problems: Collection[ErrorDetails]) -> set[str]:
    """Keys that are no fault: whether an unknown method has a setting nobody can say."""
    unknown = any(problem["loc"][:1] == ("method",) for problem in problems)
    return _every_name() if unknown else set()


def _every_name() -> set[str]:
    """Names of settings that any method has."""
    return {field.name for name in plugs(METHODS) for field in own_fields(name)}


def as_mapping(given: Any) -> tuple[dict[Any, Any], list[str]]:
    """Settings as they may be written, as a mapping, and what is wrong with them."""
    if isinstance(given, str):
        try:
            given = parse_yaml(given) if given.strip() else {}
        except RepeatedError as error:
            return {}, [f"settings: the text {error}"]
        except ValueError:
            given = None
    if dataclasses.is_dataclass(given) and not isinstance(given, type):
        given = dataclasses.asdict(given)
    if isinstance(given, Mapping):
        return dict(given), []
    return {}, ["settings: must be a mapping of names to values, such as {steps: 50}"]


def told_of(problem: ErrorDetails) -> str:
    """What is wrong with a value, and the value, where that is not named already."""
    told = words(problem)
    return told if " is unknown; " in told else f"{told}, not {quote(problem['input'])}"


def words(problem: ErrorDetails) -> str:
    """What pydantic found wrong, to go on a sentence with; what it quotes stays as it is."""
    told = problem["msg"].removeprefix("Value error, ")
    return told[:1].lower() + told[1:]
