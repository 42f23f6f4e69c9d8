"""A study: one YAML file that spans a grid of runs.

::

    study: default                     # names the results' folder
    models: [smollm2-135m]
    sets:
      - {forget: elements, retain: capitals, utility: cities}
    methods: [mansu]                   # this and what follows may be left out
    variants: [{}, {floor: boundary}]  # fields that set the cells of the grid apart
    seeds: [0, 1, 2]
    set: {steps: 100}                  # fields that every run has, and settings of its method
    tuned: tuned.yaml                  # settings by method, as mansu tune wrote them

The more special value wins, name by name: a variant's over the one that ``set`` gives every run,
that over the method's in ``tuned``, that over the method's default. A method that ``tuned`` does
not name runs at its defaults. Settings stand beside the other fields, or under ``settings``.

One run for every model × set × method × variant × seed; sets may name those of the models that they
are for (``models: [smollm2-135m]``).
"""

import itertools
import math
from collections import Counter
from dataclasses import field, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from mansu.errors import InputError, enumerate_some, quote
from mansu.paths import expand as expand_path
from mansu.registry import plugs
from mansu.study.config import (
    FIELDS,
    StudyConfig,
    Whole,
    make_config,
    own_fields,
    words,
)
from mansu.study.config_file import read_config
from mansu.study.folders import study_folders
from mansu.study.own_settings import METHODS, as_mapping
from mansu.study.tuned_file import read_tuned
from mansu.sweep.places import TAKEN
from mansu.unlearn.methods import find_method

_STRICT = ConfigDict(extra="forbid")
_GRID = ("model", "forget", "retain", "utility", "method", "seed")
_FIELDS = {field.name for field in FIELDS}
Named = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class Sets:
    """The fact sets of a run, by role.

    Attributes:
        forget, retain, utility: As in a configuration.
        models: Those of the study's models that are asked about them; all, where not said.
    """

    forget: Named
    retain: Named
    utility: Named
    models: Annotated[list[Named], Field(min_length=1)] | None = None


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class Study:
    """A grid of runs.

    Attributes:
        study: Its name, and the name of its folder of results.
        models: Models.
        sets: Fact sets by role.
        methods: Unlearning methods.
        variants: Configuration fields that set cells of the grid apart; ``{}`` is the default.
        seeds: Seeds.
        set: Configuration fields that every run has.
        tuned: A file that `mansu tune` wrote: each method's settings, where nothing else is said.
    """

    study: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
    models: Annotated[list[Named], Field(min_length=1)]
    sets: Annotated[list[Sets], Field(min_length=1)]
    methods: Annotated[list[Named], Field(min_length=1)] = field(default_factory=lambda: ["mansu"])
    variants: Annotated[list[dict[str, Any]], Field(min_length=1)] = field(
        default_factory=lambda: [{}]
    )
    seeds: Annotated[list[Whole], Field(min_length=1)] = field(default_factory=lambda: [0])
    set: dict[str, Any] = field(default_factory=dict)
    tuned: Named | None = None


_ADAPTER = TypeAdapter(Study)
MOST_RUNS = 10_000


def read_study(path: str | Path) -> Study:
    """Reads a study file.

    Raises:
        InputError: The file cannot be read, a key is unknown or missing, or a value does not fit.
    """
    values = read_config(path)
    try:
        study = _ADAPTER.validate_python(values)
    except ValidationError as error:
        told = [
            f"{'.'.join(map(_part, problem['loc'])) or 'file'}: {words(problem)}"
            for problem in error.errors(include_url=False)
        ]
        raise InputError(f"Study {path} does not fit: {enumerate_some(told)}.") from error
    if study.study.casefold() in map(str.casefold, TAKEN):
        raise InputError(
            f"Study {path}: '{study.study}' is a name of the project's own; choose another one."
        )
    where = f"Study {path}: "
    study = replace(
        study,
        set=_flat(study.set, f"{where}set"),
        variants=[_flat(fields, f"{where}variants") for fields in study.variants],
    )
    for place, fields in [("set", study.set)] + [("variants", v) for v in study.variants]:
        if taken := sorted({*fields} & {*_GRID}):
            raise InputError(
                f"Study {path}: {place} may not hold {', '.join(taken)}; the grid itself does, "
                f"through models, sets, methods and seeds."
            )
    for axis in ("models", "methods", "seeds"):
        if twice := [name for name, times in Counter(getattr(study, axis)).items() if times > 1]:
            raise InputError(
                f"Study {path}: {axis} names {twice[0]} twice; drop the repeated entry."
            )
    for number, sets in enumerate(study.sets):
        if missing := [name for name in sets.models or () if name not in study.models]:
            raise InputError(
                f"Study {path}: sets.{number}: {quote(missing[0])} is none of its models; name it "
                "there as well."
            )
    if study.tuned:  # from where the study lies
        return replace(study, tuned=str(expand_path(path).parent / expand_path(study.tuned)))
    return study


def expand(study: Study) -> list[StudyConfig]:
    """The configurations of all runs of a study, in the order of its lists.

    Raises:
        InputError: A field is unknown or out of range, there are too many runs, or two of them
            would share a folder.
    """
    axes = (study.models, study.sets, study.methods, study.variants, study.seeds)
    if (runs := math.prod(map(len, axes))) > MOST_RUNS:
        raise InputError(
            f"Study '{study.study}' has {runs} runs; split it into studies of {MOST_RUNS} at most."
        )
    tuned = read_tuned(Path(study.tuned)) if study.tuned else {}
    grid = itertools.product(*axes)
    configs = [
        make_config(
            {
                **tuned.get(method, {}),
                **shared_fields(study, method),
                **variant,
                "model": model,
                "forget": sets.forget,
                "retain": sets.retain,
                "utility": sets.utility,
                "method": method,
                "seed": seed,
            }
        )
        for model, sets, method, variant, seed in grid
        if sets.models is None or model in sets.models
    ]
    folders = Counter(study_folders(config, Path()).run for config in configs)
    for folder, runs in folders.items():
        if runs > 1:
            raise InputError(
                f"Study '{study.study}' has two runs for the folder {folder}; drop the repeated "
                "entry, or give the files different names."
            )
    return configs


def shared_fields(study: Study, method: str) -> dict[str, Any]:
    """The fields that every run has, without settings that only other methods of the study have."""
    known = [name for name in study.methods if name in plugs(METHODS)]
    if method not in known:
        return study.set  # which is refused by its name
    beside = {field.name for name in known for field in own_fields(name)}
    lacking = beside - {field.name for field in own_fields(method)}
    return {name: value for name, value in study.set.items() if name not in lacking}


def untuned(study: Study) -> str:
    """Says which methods run at their defaults beside those that were tuned; empty: none."""
    if study.tuned is None:
        return ""
    named = read_tuned(Path(study.tuned))
    beside = [
        name
        for name in dict.fromkeys(study.methods)
        if name not in named and hasattr(find_method(name).settings(), "learning_rate")
    ]
    if not beside:
        return ""
    verb = "run at their" if len(beside) > 1 else "runs at its"
    return f"{', '.join(beside)} {verb} defaults: {study.tuned} says nothing of them."


def _flat(fields: dict[str, Any], place: str) -> dict[str, Any]:
    """Fields with what stands under ``settings`` beside them, so that each wins by its own name.

    Raises:
        InputError: It is no mapping of a method's settings, or one of them stands beside it, too.
    """
    if "settings" not in fields:
        return fields
    beside = {name: value for name, value in fields.items() if name != "settings"}
    own, told = as_mapping(fields["settings"])
    if told:
        raise InputError(f"{place}: {told[0]}.")
    if twice := [name for name in own if name in beside]:
        raise InputError(
            f"{place} gives {twice[0]} both under settings and beside them; keep one of the two."
        )
    for name in own:
        if name in _FIELDS or not isinstance(name, str):
            raise InputError(
                f"{place}: settings: {quote(name)} is no setting of a method; put it beside them."
            )
    return beside | own


def _part(part: object) -> str:
    """A step on the way to a value: a key of the file, or a number in a list."""
    return part if isinstance(part, str) and len(part) <= 40 else quote(part)
