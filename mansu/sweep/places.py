"""Where the notebooks and studies lie, whatever the current directory is."""

import os
import shutil
from pathlib import Path

import mansu
from mansu.errors import InputError, saving
from mansu.paths import SHIPPED, expand
from mansu.scratch import replacing
from mansu.study.outputs import require_folder

HOME = "MANSU_HOME"
_FOLDERS = ("notebooks", "papermill_runs")
# What lies in papermill_runs beside the folders of results, which are called as their studies.
TAKEN = ("Snakefile", "profiles", "reference", "studies")


def repository() -> Path:
    """The folder that holds ``notebooks/`` and ``papermill_runs/``.

    In a checkout that is where they lie, beside the package. An installed package lays its own out
    in ``$MANSU_HOME``, or ``~/mansu``, where they may be edited and results are kept.

    Raises:
        InputError: They are not there: the package was copied out of its repository. Or they are to
            lie in a file.
        RunError: They cannot be laid out.
    """
    folder = Path(mansu.__file__).parents[1]
    if all((folder / name).is_dir() for name in _FOLDERS):
        return folder
    if SHIPPED.is_dir():
        return _lay_out()
    raise InputError(
        f"{folder} has no notebooks/ and papermill_runs/; install mansu from its repository with "
        "`pip install -e .`, or from a wheel of it."
    )


def _lay_out() -> Path:
    """Copies what is not there yet; what the user has changed stays."""
    home = expand(os.environ.get(HOME) or "~/mansu").absolute()
    require_folder(home, f"${HOME}")
    with saving(home, f"name another folder with ${HOME}"):
        for name in _FOLDERS:
            for source in (SHIPPED / name).rglob("*"):
                target = home / source.relative_to(SHIPPED)
                if source.is_file() and not target.exists():
                    with replacing(target) as finished:
                        shutil.copyfile(source, finished)
    return home
