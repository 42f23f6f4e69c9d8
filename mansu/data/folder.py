"""Where the built-in data lie: the repository's ``data`` folder, beside the package."""

from pathlib import Path

from mansu.errors import InputError

DATA_FOLDER = Path(__file__).parents[2] / "data"


def require_data_folder() -> Path:
    """The folder of the built-in data.

    Raises:
        InputError: It is not there, as when the package was copied out of its repository.
    """
    if not DATA_FOLDER.is_dir():
        raise InputError(
            f"The built-in data are missing: there is no folder {DATA_FOLDER}. Install mansu from "
            "its repository with `pip install -e .`."
        )
    return DATA_FOLDER
