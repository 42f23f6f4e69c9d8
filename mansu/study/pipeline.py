"""All stages of one run, in order."""

from contextlib import suppress

from mansu.errors import NoResultError
from mansu.study.run import Run
from mansu.study.scorecard import Scorecard
from mansu.study.stages import floor, judge, localize, measure, measure_all, train
from mansu.study.stages.attack import attack_all
from mansu.study.state import State, find_origin, states


def run_study(run: Run) -> Scorecard:
    """Runs every stage that is not finished yet and returns the scorecard.

    Where the method has no result, that is what came out: the scorecard says why.
    """
    run.open()
    with suppress(NoResultError):
        _run_stages(run)
    return judge(run)


def run_audit(run: Run) -> Scorecard:
    """The same for a checkpoint that is given: it is read first.

    Raises:
        InputError: It is no update of the original; nothing has been measured by then.
    """
    run.open()
    train(run)
    return run_study(run)


def shared_states(run: Run) -> tuple[State, ...]:
    """Those that no training has a part in."""
    return tuple(s for s in states(run) if find_origin(s.origin).place == "shared")


def _run_stages(run: Run) -> None:
    measure_all(run, shared_states(run))
    for stage in (localize, train, floor):
        stage(run)
    for state in states(run):
        measure(run, state)
    for name in run.config.attacks:
        attack_all(run, name)
