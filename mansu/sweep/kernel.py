"""The Jupyter kernel ``mansu``: this environment's Python."""

import json
import sys
from pathlib import Path

from mansu.study.cache.records import write_text
from mansu.sweep.notebooks import KERNEL


def write_kernel(folder: Path) -> None:
    """Puts the kernel into a folder that ``JUPYTER_PATH`` may name.

    So it is found in an environment where nobody registered it, and no kernel of that name that
    the user has elsewhere is taken for it.
    """
    spec = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": KERNEL,
        "language": "python",
        "metadata": {"debugger": True},
    }
    write_text(folder / "kernels" / KERNEL / "kernel.json", json.dumps(spec, indent=1) + "\n")
