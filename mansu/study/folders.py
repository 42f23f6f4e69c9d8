"""Where a study keeps its results: one shared folder per model and data, one folder per run."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from mansu.data.facts import several
from mansu.study.config import UNNAMED, StudyConfig, defaults, differing_fields, value

# Fields that name the shared folder or the seed's folder, or are no part of what is computed.
_NAMED = {"model", "forget", "retain", "method", "seed", *UNNAMED}
_LONGEST = 200  # characters of a folder's name; file systems take 255


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
    kept = "-".join(map(_slug, several(config.retain)))
    place = study / _slug(config.model) / _fit(f"{_slug(config.forget)}+{kept}")
    return Folders(place / variant(config) / f"seed{config.seed}", place / "shared")


def variant(config: StudyConfig) -> str:
    """The method, followed by the fields that differ from its defaults, e.g. ``mansu-top_k=4``."""
    changed = [
        f"{name}={_slug(_text(value(config, name)))}"
        for name in differing_fields(config, defaults(config.method))
        if name not in _NAMED
    ]
    return _fit("-".join([config.method, *changed]))


def _text(found: object) -> str:
    return "+".join(found) if isinstance(found, tuple) else str(found)


def _fit(name: str) -> str:
    """The name if a folder can have it, else its beginning and a digest of the whole."""
    if len(name) <= _LONGEST:
        return name
    return f"{name[: _LONGEST - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _slug(text: str) -> str:
    """A file name for a model or fact set: its last path component, plain characters only."""
    last = text.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1].removesuffix(".jsonl")
    return re.sub(r"[^A-Za-z0-9._-]+", "_", last) or "_"
