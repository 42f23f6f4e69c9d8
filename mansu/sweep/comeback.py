"""The map of what comes back: every run of a study, in every format that it names.

Nothing but what the map shows is measured, so that a run takes minutes where a verdict takes an
hour. All of it lies in the runs' own folders, so that a map that was cut short goes on; the map
itself is ``comeback.json`` in the study's.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from mansu.errors import InputError, NoResultError
from mansu.study.comeback import Returned, is_measured, measure_return, read_map, write_map
from mansu.study.config import StudyConfig
from mansu.study.folders import Folders, study_folders
from mansu.study.outputs import require_file, require_folder
from mansu.study.run import Progress, Run, silent
from mansu.sweep.grid import expand, read_study, untuned
from mansu.sweep.lock import alone
from mansu.sweep.places import repository
from mansu.sweep.tune import seconds_of

FILE = "comeback.json"
Note = Callable[[str], None]


def map_comeback(
    path: Path,
    budget: str | None = None,
    out: Path | None = None,
    progress: Progress = silent,
    note: Note = lambda text: None,
) -> tuple[bool, Path]:
    """Measures what is not measured yet.

    Args:
        path: The study; each run's formats are the map's.
        budget: Time after which nothing more is begun, such as 150m; without limit, if not given.
        out: The study's folder of results; default ``papermill_runs/<study>``.
        progress: Called with (task, done, total) during long work.
        note: Called with a sentence on every run that has no result, and on methods that were not
            tuned beside others that were.

    Returns:
        Whether all is done, and the map's file.

    Raises:
        InputError: The study, or a run of it, cannot work; nothing has been measured.
    """
    study = read_study(path)
    if len(study.models) != 1 or len(study.sets) != 1 or len(study.seeds) != 1:
        raise InputError(f"Study {path}: a map takes one model, one group of sets and one seed.")
    root = out or repository() / "papermill_runs" / study.study
    require_folder(root, "--out" if out else "")
    require_file(root / FILE)
    end = time.monotonic() + seconds_of(budget)
    cells = [(config, study_folders(config, root)) for config in expand(study)]
    if not all(config.formats for config, _ in cells):
        raise InputError(
            f"Study {path}: a map is of formats, and formats names none for some of its runs; name "
            "at least one beside fp, such as nf4."
        )
    for cell in cells:
        Run(*cell)  # bad input ends it here
    if told := untuned(study):
        note(told)
    found: list[Returned] = []
    file, done = root / FILE, False
    with alone(file):
        before = read_map(file)
        try:
            done = _measure(cells, found, end, progress, note)
            return done, file
        finally:
            named = {(one.method, one.format) for one in found}
            kept = [] if done else [one for one in before if (one.method, one.format) not in named]
            if found:
                write_map([*found, *kept], file)


def _measure(
    cells: Sequence[tuple[StudyConfig, Folders]],
    found: list[Returned],
    end: float,
    progress: Progress,
    note: Note,
) -> bool:
    """Adds what is measured to the list; whether that is all."""
    model, loaded = None, None
    for config, folders in cells:
        as_held = (config.dtype, config.device)
        run = Run(config, folders, progress, model if loaded == as_held else None)
        loaded = as_held
        try:
            for form in config.formats:
                if time.monotonic() > end and not is_measured(run, form):
                    return False
                found.append(measure_return(run, form))
        except NoResultError as error:
            note(f"{folders.run.parent.name}: {error}")
        model = run.__dict__.get("model")
    return True


def shown_map(study: str) -> tuple[Returned, ...]:
    """The map of a study by its name: as measured here, else as it was measured for the project.

    Raises:
        InputError: Its file is damaged.
    """
    home = repository() / "papermill_runs"
    return read_map(home / study / FILE) or read_map(home / "reference" / f"{study}.json")
