"""Runs beside the notebook's own: another model, fact set, or setting."""

import dataclasses
from importlib.util import find_spec
from typing import Any

from mansu.data.facts import fact_set_names, several
from mansu.lab.open import STUDY
from mansu.models.loading import find_model, read_config
from mansu.models.recipes import PACKAGED, TINY
from mansu.study.config import StudyConfig, defaults, flat, make_config
from mansu.study.folders import Folders, study_folders, variant
from mansu.study.inert import inert
from mansu.study.run import Progress, Run
from mansu.sweep.places import repository
from mansu.unlearn.methods import find_method

# What edge scores depend on.
SCORED = ("model", "forget", "attribution", "pairs", "ig_steps", "alpha_grid", "device", "dtype")
_SAME_DATA = ("model", "forget", "retain")
_SAME_MODEL = ("model", "device", "dtype")


def open_beside(run: Run, config: StudyConfig, tell: Progress) -> Run:
    """Opens the run of another configuration.

    Where model and data are the same, results lie beside the first run's shared folder, which is
    shared, and so is the model; otherwise they go where a notebook with these parameters would put
    them.

    Raises:
        InputError: As from :class:`mansu.study.run.Run`.
    """
    folders = folders_beside(run, config)
    if run.folder in folders.run.parents:  # to be known as a run's folder before others lie in it
        run.open()
    same = all(getattr(config, name) == getattr(run.config, name) for name in _SAME_MODEL)
    return Run(config, folders, tell, run.model if same else None)


def folders_beside(run: Run, config: StudyConfig) -> Folders:
    """Where the results of another configuration lie, if there are any."""
    if all(getattr(config, name) == getattr(run.config, name) for name in _SAME_DATA):
        place = run.shared.parent
        return Folders(place / variant(config) / f"seed{config.seed}", run.shared)
    return study_folders(config, repository() / "papermill_runs" / STUDY)


def open_method(run: Run, method: str, **settings: Any) -> Run:
    """Opens the run of another method on the same model and data.

    Args:
        run: The run.
        method: The method.
        settings: Its own settings, where they are not its defaults.

    Raises:
        InputError: As from :class:`mansu.study.run.Run`.
    """
    floor = find_method(method).floors[0]
    config = change(run.config, method=method, settings=settings, floor=floor)
    return open_beside(run, config, run.progress)


def change(config: StudyConfig, **values: Any) -> StudyConfig:
    """The configuration with other values.

    A fact set has one role: where the new forget set was the retain or utility set, that role gets
    the old forget set.

    Raises:
        InputError: A value is out of range.
    """
    fields = {**dataclasses.asdict(config), **values}  # pyright: ignore
    for role in ("retain", "utility"):
        if role not in values:
            names = several(fields[role])
            swapped = (config.forget if name == fields["forget"] else name for name in names)
            fields[role] = ",".join(swapped)
    changed = make_config(fields)
    # A control that has no part in it any more says nothing, wherever it stands.
    usual = flat(defaults(changed.method))
    resting = {name: usual[name] for name in inert(changed)}
    return make_config({**dataclasses.asdict(changed), **resting}) if resting else changed  # pyright: ignore


def fitting(config: StudyConfig) -> StudyConfig:
    """The configuration with a circuit that is no larger than its model.

    Raises:
        InputError: There is no such model.
    """
    layers = read_config(find_model(config.model)).get_text_config().num_hidden_layers
    return change(config, top_k=min(config.top_k, layers))


def model_names(config: StudyConfig) -> list[str]:
    """Models that are here, the configuration's first."""
    packaged = [n for n, found in PACKAGED.items() if all(find_spec(p) for p, _ in found.parts)]
    return list(dict.fromkeys([config.model, *packaged, *TINY]))


def forget_names(config: StudyConfig) -> list[str]:
    """Fact sets to choose from, the configuration's first."""
    return list(dict.fromkeys([config.forget, *fact_set_names()]))
