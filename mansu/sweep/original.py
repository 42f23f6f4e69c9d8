"""Asks the original of a sweep's runs: ``python -m mansu.sweep.original PARAMETERS``.

No training has a part in what it answers, so that a sweep has it asked while the first run trains.
"""

import sys
from pathlib import Path

from mansu.errors import InputError, RunError
from mansu.study.config import make_config
from mansu.study.config_file import read_config
from mansu.study.folders import Folders
from mansu.study.pipeline import measure_shared
from mansu.study.run import Run
from mansu.sweep.status import progress


def main(parameters: str) -> None:
    """Measures what the runs share, with the first one's parameters."""
    values = read_config(parameters)
    folders = Folders(*(Path(values.pop(name)) for name in ("out", "shared")))
    measure_shared(Run(make_config(values), folders, progress()))


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except (InputError, RunError) as error:
        sys.exit(str(error))
