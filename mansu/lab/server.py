"""Opens the notebooks: in JupyterLab, or through Voilà as pages without code."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from mansu.sweep.environment import KERNELS, server_environment
from mansu.sweep.places import repository

# What the dashboards are drawn by; others are made for JupyterLab and may fail on a page.
_EXTENSIONS = (
    "@jupyter-widgets/jupyterlab-manager",
    "@voila-dashboards/widgets-manager8",
    "anywidget",
)


def open_lab(arguments: Sequence[str] = ()) -> int:
    """Runs JupyterLab with the project's kernel registered, until it is closed.

    Args:
        arguments: Passed on to ``jupyter lab``.

    Returns:
        JupyterLab's exit code.
    """
    return _run([sys.executable, "-m", "jupyter", "lab", *arguments])


def serve_pages(arguments: Sequence[str] = ()) -> int:
    """Runs Voilà on the notebooks, on the loopback interface alone, until it is closed.

    Args:
        arguments: Passed on to Voilà.

    Returns:
        Voilà's exit code.
    """
    needed = [f"--VoilaConfiguration.extension_allowlist={name}" for name in _EXTENSIONS]
    command = [
        sys.executable,
        "-m",
        "voila",
        "--template=mansu",
        "--classic-tree",
        *needed,
        *arguments,
    ]
    # The pages run code for whoever reaches them. Last, so that no argument undoes it.
    return _run([*command, "--Voila.ip=127.0.0.1"])


def _run(command: Sequence[str]) -> int:
    # The kernel comes before what the user has set, the template of Voilà's pages after it.
    paths = [str(KERNELS), os.environ.get("JUPYTER_PATH", ""), str(Path(__file__).parent)]
    folder = repository() / "notebooks"
    print(f"Notebooks: {folder}")
    with TemporaryDirectory() as stand_in:
        environment = server_environment(stand_in)
        environment["JUPYTER_PATH"] = os.pathsep.join(filter(None, paths))
        # The user's own arguments to the user's own program; no shell reads them.
        ended = subprocess.run(  # noqa: S603
            command, cwd=folder, env=environment, check=False
        )
    return ended.returncode
