"""Where the built-in data lie: the repository's ``data`` folder, or the copy in the package."""

from pathlib import Path

from mansu.errors import InputError
from mansu.paths import beside

DATA_FOLDER = beside("data")


def require_data_folder() -> Path:
    """The folder of the built-in data.

    Raises:
        InputError: It is not there, as when the package was copied out of its repository.
    """
    if not DATA_FOLDER.is_dir():
        raise InputError(
            f"The built-in data are missing: there is no folder {DATA_FOLDER}. Install mansu from "
            "its repository with `pip install -e .`, or from a wheel of it."
        )
    return DATA_FOLDER
