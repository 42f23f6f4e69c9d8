"""All stages of one run, in order."""

from mansu.study.run import Run
from mansu.study.scorecard import Scorecard
from mansu.study.stages import floor, judge, localize, measure, train
from mansu.study.stages.attack import attack_all
from mansu.study.state import states


def run_study(run: Run) -> Scorecard:
    """Runs every stage that is not finished yet and returns the scorecard."""
    run.open()
    asked = states(run)
    for state in asked:
        if state.origin == "original":
            measure(run, state)
    for stage in (localize, train, floor):
        stage(run)
    for state in asked:
        measure(run, state)
    for name in run.config.attacks:
        attack_all(run, name)
    return judge(run)
