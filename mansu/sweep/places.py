"""Where the checkout's notebooks and studies lie, whatever the current directory is."""

from pathlib import Path

import mansu
from mansu.errors import InputError


def repository() -> Path:
    """The folder that holds ``notebooks/`` and ``papermill_runs/``, beside the package.

    Raises:
        InputError: They are not there: the package was copied out of its repository.
    """
    folder = Path(mansu.__file__).parents[1]
    if (folder / "notebooks").is_dir() and (folder / "papermill_runs").is_dir():
        return folder
    raise InputError(
        f"{folder} has no notebooks/ and papermill_runs/; install mansu from its repository with "
        "`pip install -e .`."
    )
