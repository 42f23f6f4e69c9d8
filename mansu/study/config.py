"""The configuration of one run. Its fields are the notebooks' parameters and the options of
``mansu run``; nothing else steers a run."""

import dataclasses
import json
import typing
from contextlib import suppress
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, TypeAdapter
from pydantic import ValidationError as Invalid
from pydantic.dataclasses import dataclass

from mansu.collections import locate_set
from mansu.data.facts import several
from mansu.errors import InputError, enumerate_some, quote
from mansu.models.recipes import locate_model
from mansu.registry import plugs, suggest
from mansu.settings import Count, Whole, setting
from mansu.study import own_settings
from mansu.study.own_settings import own_fields as own_fields
from mansu.study.own_settings import words as words
from mansu.unlearn.methods import find_method


def _require_nameable(value: str) -> str:
    parts = value.encode("utf-8", "replace").split(b"/")
    if "\0" in value or max(map(len, parts)) > 255:
        raise ValueError("can be no name of a file")
    return value


Name = Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(_require_nameable)]
# Fields whose values are the plugs of a folder, and fields that are no part of what a run computes:
# they may change from one call to the next, and name no folder.
_PLUGGED = {
    "method": "mansu.unlearn.methods",
    "target": "mansu.quant.formats",
    "formats": "mansu.quant.formats",
    "attacks": "mansu.attacks",
    "benchmarks": "mansu.benchmarks",
}
MEASURED = ("formats", "attacks", "retrained", "benchmarks", "reply_tokens")
UNNAMED = ("device", "memory_mb", *MEASURED)
RELEARN = "relearn"  # in older command lines and files a switch of its own


def _require_method(name: str) -> str:
    return _require_plug("method", name)


def _require_target(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        raise ValueError("names no format to aim at")
    return tuple(dict.fromkeys(_require_plug("target", name) for name in names))


def _require_formats(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        _require_plug("formats", name)
    return tuple(dict.fromkeys(name for name in names if name != "fp"))


def _require_attacks(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_require_plug("attacks", name) for name in names))


def _require_benchmarks(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_require_plug("benchmarks", name) for name in names))


def _require_plug(field: str, name: str) -> str:
    known = plugs(_PLUGGED[field])
    if name not in known:
        raise ValueError(suggest(name, known))
    return name


def _split(value: Any) -> Any:
    """Names in one text: from a shell with commas between, from papermill as it writes a tuple."""
    if not isinstance(value, str):
        return value
    value = "" if value.strip() == "none" else value  # which is how an empty list is shown
    return [name for part in value.split(",") if (name := part.strip(" ()[]'\""))]


MethodName = Annotated[str, AfterValidator(_require_method)]
Target = Annotated[tuple[str, ...], BeforeValidator(_split), AfterValidator(_require_target)]
Formats = Annotated[tuple[str, ...], BeforeValidator(_split), AfterValidator(_require_formats)]
Attacks = Annotated[tuple[str, ...], BeforeValidator(_split), AfterValidator(_require_attacks)]
Benchmarks = Annotated[
    tuple[str, ...], BeforeValidator(_split), AfterValidator(_require_benchmarks)
]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class StudyConfig:
    """Everything that decides what a run computes.

    Raises:
        InputError: From :func:`make_config`, when a value is of the wrong type or out of range.
    """

    model: Name = setting("smollm2-135m", "packaged or tiny model, local folder, or hub id")
    forget: Name = setting(
        "capitals",
        "set to unlearn: a fact set's name or file, or a collection's such as wmdp:bio",
    )
    retain: Name = setting(
        "us_cities,continents",
        "sets to keep, commas between; train facts steer training",
    )
    utility: Name = setting("elements", "set that is only ever measured")
    method: MethodName = setting("mansu", "unlearning method")
    seed: Annotated[Whole, Field(ge=0, lt=2**31)] = setting(0, "order of the training examples")

    items: Count = setting(300, "questions asked of each role at most")

    attribution: Literal["eap", "eap-ig"] = setting("eap-ig", "edge attribution method")
    pairs: Count = setting(48, "clean/corrupted prompt pairs that edges are scored on")
    ig_steps: Annotated[Whole, Field(ge=1, le=200)] = setting(5, "integrated-gradients steps K")
    alpha_grid: Literal["k/K", "midpoint"] = setting("k/K", "where on the path the steps lie")
    top_k: Count = setting(8, "MLP sublayers in the circuit")
    circuit: Literal["causal", "published", "random", "inverse"] = setting(
        "causal",
        "circuit: by attribution mass where the answer is said, or as published, or a control",
    )

    settings: Any = Field(
        default_factory=lambda: find_method("mansu").settings(),
        description="the method's own settings by name, such as steps (mansu run --help)",
    )
    floor: Literal["in_loop", "boundary", "paper", "none"] = setting(
        "in_loop", "magnitude floor; not given, the method's own; 'none' is the ablation without it"
    )

    target: Target = setting(
        ("nf4",), "formats whose bins in_loop, the floor and the account aim at; commas between"
    )
    formats: Formats = setting(("nf4",), "deployment formats to measure beside full precision")
    attacks: Attacks = setting((), "attacks after the study, such as relearn,prompts")
    retrained: str = setting(
        "", "model that was trained without the forget set, measured beside; a folder or a hub id"
    )
    benchmarks: Benchmarks = setting((), "what models write to and a program judges: ifeval")
    reply_tokens: Count = setting(1280, "tokens that a benchmark's reply has at most")
    device: Name = setting("cpu", "torch device")
    dtype: Literal["float32", "bfloat16", "float16"] = setting(
        "float32", "full precision: what weights are held and trained in"
    )
    memory_mb: Annotated[Whole, Field(ge=64)] = setting(
        2048, "memory that attribution may take on top of the model, in MB"
    )


SETS = ("forget", "retain", "utility")
FIELDS: tuple[dataclasses.Field[Any], ...] = dataclasses.fields(StudyConfig)  # pyright: ignore
_ADAPTER = TypeAdapter(StudyConfig)


def make_config(values: dict[str, Any]) -> StudyConfig:
    """Builds a configuration from loosely typed values (a file's, the shell's, a notebook's).

    What is not given is as the method has it by default. A method's own settings may stand under
    ``settings`` or, in short, beside the other fields. The user's own files and folders are named
    from the root, so that a run can be read from wherever one stands.

    Raises:
        InputError: An unknown key, a wrong type, or a value out of range; names all of them. Or a
            value that is not the method's.
    """
    given, told = dict(values), []
    found = {field: plugs(package) for field, package in _PLUGGED.items()}
    name = given.get("method", "mansu")
    if isinstance(name, str) and name in found["method"]:
        method = find_method(name)
        if given.get("floor") in (None, ""):
            given["floor"] = method.floors[0]
        given["settings"], told = own_settings.read(method, given, {f.name for f in FIELDS})
    target = _split(given.get("target"))
    aimed = isinstance(target, list | tuple) and all(isinstance(name, str) for name in target)
    if aimed and target and {*target} <= found["target"].keys():
        given.setdefault("formats", (*target,))  # what is aimed at is measured, too
    try:
        config = _ADAPTER.validate_python(_without_switch(given))
    except Invalid as error:
        told = [*_told(error), *told]
    if told:
        end = "" if (wrong := enumerate_some(told)).endswith("?") else "."
        raise InputError(f"{wrong}{end} See mansu run --help.")
    require_fitting(config)
    sets = {name: locate_set(getattr(config, name)) for name in SETS if name != "retain"}
    sets["retain"] = ",".join(map(locate_set, several(config.retain))) or config.retain
    with suppress(OSError):  # no folder can have such a name, so it names something else
        sets["model"] = locate_model(config.model)
        sets["retrained"] = config.retrained and locate_model(config.retrained)
    return dataclasses.replace(config, **sets)  # pyright: ignore


def _told(error: Invalid) -> list[str]:
    known, told = {f.name for f in FIELDS}, []
    spared = own_settings.spared(problems := error.errors(include_url=False))
    for problem in problems:
        key = str(problem["loc"][0]) if problem["loc"] else "configuration"
        if key not in known | spared:
            told.append(f"{quote(key)} is not a configuration key")
        elif key in known:
            told.append(f"{key}: {own_settings.told_of(problem)}")
    return told


def _without_switch(values: dict[str, Any]) -> dict[str, Any]:
    """The values without the switch :data:`RELEARN`: it says whether ``attacks`` has that one.

    Raises:
        InputError: It is none.
    """
    if RELEARN not in values:
        return values
    rest = {name: value for name, value in values.items() if name != RELEARN}
    try:
        asked = TypeAdapter(bool).validate_python(values[RELEARN])
    except Invalid as error:
        told = f"{RELEARN}: give yes or no, not {quote(values[RELEARN])}; or name it in attacks."
        raise InputError(told) from error
    names = _split(rest.get("attacks", ()))
    if isinstance(names, list | tuple):  # what else it may be is refused by its own name
        rest["attacks"] = [*([RELEARN] if asked else []), *(n for n in names if n != RELEARN)]
    return rest


def defaults(method: str) -> StudyConfig:
    """The configuration of a method where nothing else is said."""
    return make_config({"method": method})


def value(config: StudyConfig, name: str) -> Any:
    """A field, or one of the method's own settings; None where it has none of that name."""
    if hasattr(config, name):
        return getattr(config, name)
    return getattr(config.settings, name, None)


def plain(config: StudyConfig) -> dict[str, Any]:
    """The configuration as it comes back from JSON."""
    return json.loads(json.dumps(dataclasses.asdict(config)))  # pyright: ignore


def flat(config: StudyConfig) -> dict[str, Any]:
    """Every field but ``settings``, and each of the method's own settings."""
    names = [field.name for field in (*FIELDS, *own_fields(config.method))]
    return {name: value(config, name) for name in names if name != "settings"}


def differing_fields(one: StudyConfig, other: StudyConfig) -> list[str]:
    """Fields and settings in which two configurations compute something else, not elsewhere."""
    mine, theirs = flat(one), flat(other)
    names = [name for name in {**mine, **theirs} if name not in UNNAMED]
    return [name for name in names if mine.get(name) != theirs.get(name)]


def floors(method: str) -> tuple[str, ...]:
    """The floors that a method can have, its default first."""
    return find_method(method).floors


def require_fitting(config: StudyConfig) -> None:
    """Refuses a floor that a method cannot have, and settings of another method.

    Raises:
        InputError: It is such a floor, or they are such settings.
    """
    if not isinstance(config.settings, find_method(config.method).settings):
        raise InputError(
            f"settings: they are another method's than {config.method}'s; leave them out."
        )
    able = floors(config.method)
    if config.floor not in able:
        raise InputError(
            f"floor: {config.method} cannot have {config.floor}; choose {' or '.join(able)}."
        )


def describe(field: dataclasses.Field[Any]) -> str:
    """A field's one-line description."""
    return field.default.description  # pyright: ignore


def default_of(field: dataclasses.Field[Any]) -> Any:
    """A field's default."""
    return field.default.get_default(call_default_factory=True)  # pyright: ignore


def choices(field: dataclasses.Field[Any]) -> tuple[str, ...] | None:
    """The values a field may take, where they are a fixed few."""
    if field.name == "method":
        return tuple(plugs(_PLUGGED["method"]))
    if typing.get_origin(field.type) is Literal:
        return typing.get_args(field.type)
    return None
