"""All stages of one run, in order."""

from typing import Any

from mansu.study.run import Run
from mansu.study.stages import analyse, floor, localize, measure_base, quantize, train


def run_study(run: Run) -> dict[str, Any]:
    """Runs every stage that is not finished yet and returns the scorecard."""
    run.open()
    for stage in (measure_base, localize, train, floor, quantize):
        stage(run)
    return analyse(run)
