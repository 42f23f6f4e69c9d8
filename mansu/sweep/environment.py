"""The environment of the programs that are started on notebooks.

They keep files of their own in the home folder, which a container or a cluster's node may not have.
Those go elsewhere; models stay where they are.
"""

import os
from pathlib import Path

from huggingface_hub.constants import HF_HOME

from mansu.paths import CACHE, cache_folder

# Jupyter's name for the Python that it runs on itself. A user may have put another Python under
# that name; first on JUPYTER_PATH, this folder says what it should be.
KERNEL = "python3"
KERNELS = Path(__file__).parent / "jupyter"


def sweep_environment(hidden: Path) -> dict[str, str]:
    """What Snakemake and the notebooks of a sweep see; its own cache goes into ``hidden``."""
    return {**os.environ, **_model_places(), "XDG_CACHE_HOME": str(hidden / "cache")}


def server_environment(stand_in: str) -> dict[str, str]:
    """What a Jupyter server sees: ``stand_in`` as home folder, if there is none to write to."""
    home = os.path.expanduser("~")  # noqa: PTH111 (the other way raises where there is none)
    if os.path.isdir(home) and os.access(home, os.W_OK):  # noqa: PTH112
        return dict(os.environ)
    return {**os.environ, **_model_places(), "HOME": stand_in}


def _model_places() -> dict[str, str]:
    return {CACHE: str(cache_folder().resolve()), "HF_HOME": str(Path(HF_HOME).resolve())}
