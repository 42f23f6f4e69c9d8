"""Where a study keeps its results: one shared folder per model and data, one folder per run."""

import re
from dataclasses import dataclass
from pathlib import Path

from mansu.study.config import FIELDS, SETS, UNNAMED, StudyConfig, defaults

# Fields that name the shared folder or the seed's folder, or are no part of what is computed.
_NAMED = {"model", "forget", "retain", "method", "seed", *UNNAMED}


@dataclass(frozen=True)
class Folders:
    """The two folders of a run.

    Attributes:
        run: Results of this configuration.
        shared: Results that do not depend on the method, shared by every run on the same model
            and data.
    """

    run: Path
    shared: Path


def study_folders(config: StudyConfig, study: Path) -> Folders:
    """The folders of a run inside a study, by the study's layout."""
    place = study / _slug(config.model) / f"{_slug(config.forget)}+{_slug(config.retain)}"
    return Folders(place / variant(config) / f"seed{config.seed}", place / "shared")


def variant(config: StudyConfig) -> str:
    """The method, followed by the fields that differ from its defaults, e.g. ``mansu-top_k=4``."""
    own = defaults(config.method)
    changed = [
        f"{field.name}={_slug(str(value))}"
        for field in FIELDS
        if field.name not in _NAMED
        and (value := getattr(config, field.name)) != getattr(own, field.name)
    ]
    return "-".join([config.method, *changed])


def differing_fields(one: StudyConfig, other: StudyConfig) -> list[str]:
    """The fields in which two configurations belong to different runs.

    A model or fact set is what its name says, wherever it lies: a project may have moved. Whether
    it still holds the same is for the results' keys to find out.
    """

    def compared(config: StudyConfig, name: str) -> str:
        value = str(getattr(config, name))
        return _slug(value) if name in ("model", *SETS) else value

    names = [field.name for field in FIELDS if field.name not in UNNAMED]
    return [name for name in names if compared(one, name) != compared(other, name)]


def _slug(text: str) -> str:
    """A file name for a model or fact set: its last path component, plain characters only."""
    last = text.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1].removesuffix(".jsonl")
    return re.sub(r"[^A-Za-z0-9._-]+", "_", last) or "_"
