"""Opens JupyterLab on the notebooks."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from mansu.lab.kernel import write_kernel
from mansu.lab.places import repository


def open_lab(arguments: Sequence[str] = ()) -> int:
    """Runs JupyterLab with the project's kernel registered, until it is closed.

    Args:
        arguments: Passed on to ``jupyter lab``.

    Returns:
        JupyterLab's exit code.
    """
    folder = repository() / "notebooks"
    write_kernel(Path(sys.prefix) / "share" / "jupyter")
    command = [sys.executable, "-m", "jupyter", "lab", *arguments]
    # The user's own arguments to the user's own program; no shell reads them.
    return subprocess.run(command, cwd=folder, check=False).returncode  # noqa: S603
