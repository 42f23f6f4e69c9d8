"""Asks the original of a sweep's runs: ``python -m mansu.sweep.original PARAMETERS``.

No training has a part in what it answers, so that a sweep has it asked while the first run trains.
"""

import sys
from pathlib import Path

from mansu.errors import InputError, RunError
from mansu.study.config import make_config
from mansu.study.config_file import read_config
from mansu.study.folders import Folders
from mansu.study.pipeline import shared_states
from mansu.study.run import Run
from mansu.study.stages import measure
from mansu.study.stages.attribute import attribute
from mansu.study.stages.depth import measure_depth
from mansu.sweep.status import progress


def main(parameters: str) -> None:
    """Computes all that is told of what the runs share, with the first one's parameters."""
    values = read_config(parameters)
    folders = Folders(*(Path(values.pop(name)) for name in ("out", "shared")))
    run = Run(make_config(values), folders, progress())
    for state in shared_states(run):
        for stage in (measure, attribute, measure_depth):
            stage(run, state)


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except (InputError, RunError) as error:
        sys.exit(str(error))
