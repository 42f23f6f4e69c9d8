"""Opens a run from a notebook's parameters."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import transformers

from mansu.errors import InputError
from mansu.lab.ending import end_where_there_is_no_result
from mansu.lab.progress import progress
from mansu.paths import absolute
from mansu.registry import plugs
from mansu.study.config import FIELDS, RELEARN, make_config, own_fields
from mansu.study.folders import Folders, study_folders
from mansu.study.own_settings import METHODS, others
from mansu.study.run import Run
from mansu.sweep.places import repository

STUDY = "default"  # whose folders hold what a notebook computes when it is given none
PLACES = ("out", "shared")


def parameters(namespace: Mapping[str, Any]) -> dict[str, Any]:
    """The notebook parameters among a notebook's variables: ``parameters(globals())``.

    A setting of a method may stand there in short, which is how ``papermill -p steps 50`` gives it.

    Raises:
        InputError: The parameters cell was not run, or a line of it was deleted.
    """
    names = [*(field.name for field in FIELDS), *PLACES]
    if missing := [name for name in names if name not in namespace]:
        raise InputError(f"Run the parameters cell first; it does not set {', '.join(missing)}.")
    method, short = str(namespace["method"]), {RELEARN}
    if method in plugs(METHODS):
        short |= {*others(method), *(field.name for field in own_fields(method))}
    given = [name for name in short if isinstance(namespace.get(name), (bool, int, float, str))]
    return {name: namespace[name] for name in (*names, *given)}


def open_run(*, out: str = "", shared: str = "", study: str = STUDY, **fields: Any) -> Run:
    """Opens the run of a configuration; everything is checked before any long work.

    Args:
        out: Folder of the run's results; empty for the default study's layout.
        shared: Folder of results that runs on the same model and data share; empty for
            ``out/shared``, or the default study's layout.
        study: Whose layout it is, where there is no ``out``.
        fields: Fields of :class:`mansu.study.config.StudyConfig`.

    Raises:
        InputError: A field is unknown or out of range, or model, facts or folder do not fit.
    """
    # Weights load in a second; their bars would stay in every executed notebook.
    transformers.logging.disable_progress_bar()
    end_where_there_is_no_result()
    config = make_config(fields)
    if shared and not out:
        raise InputError("shared: give out as well, or leave both empty.")
    if out:
        folders = Folders(absolute(out), absolute(shared or Path(out) / "shared"))
    else:
        folders = study_folders(config, repository() / "papermill_runs" / study)
    return Run(config, folders, progress())
