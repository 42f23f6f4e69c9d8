"""How long a reader of the dashboards waits, on the results of a finished run.

    python bench/dashboards.py [--run FOLDER] [--repeats 5] [--threads 2]

FOLDER is a run inside a study (…/MODEL/DATA/METHOD/seed0). Without it, the default study's run of
SmolLM2-135M is taken if it is finished, else a short study of a tiny model is made first. What is
timed is the kernel's part, from the reader's action until the charts are handed to the page; the
model is loaded already, as it is in a notebook when its dashboard is reached.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from mansu.lab.dashboards.analysis import AnalysisDashboard
from mansu.lab.dashboards.deployment import DeploymentDashboard
from mansu.lab.dashboards.flooring import FloorDashboard
from mansu.lab.dashboards.inspection import InspectDashboard
from mansu.lab.dashboards.localization import LocalizeDashboard
from mansu.lab.dashboards.training import TrainDashboard
from mansu.study.config import make_config
from mansu.study.config_file import read_config
from mansu.study.folders import Folders, study_folders
from mansu.study.pipeline import run_study
from mansu.study.run import Run, silent
from mansu.sweep.places import repository

FIRST, FILTER, RECOMPUTE = 2.0, 0.15, 2.0  # seconds that a reader may wait
TINY = {"model": "tiny-llama", "top_k": 2, "pairs": 12, "fisher_examples": 48, "steps": 12}
TINY |= {"validate_every": 4, "learning_rate": 0.02}


@dataclass(frozen=True)
class Action:
    """Something a reader does: turns a control from value to value.

    Attributes:
        name: What it is called in the table.
        control: The control, of a dashboard.
        values: Gives a value for each repeat; no two the same, or answers would be remembered.
        bar: Seconds that it may take.
    """

    name: str
    control: Callable[[Any], Any]
    values: Callable[[Any, int], Any]
    bar: float = FILTER


@dataclass(frozen=True)
class Page:
    """A dashboard and what is done on it."""

    name: str
    make: Callable[[Run], Any]
    actions: list[Action] = field(default_factory=list)
    prepare: Callable[[Any], None] = lambda board: None


def whole(control: Any, turn: int) -> int:
    """Whole numbers in turn, all of the control's."""
    return control.min + turn % (control.max - control.min + 1)


def along(control: Any, turn: int) -> float:
    """From a log slider's lower end upwards, a step a turn."""
    return 10 ** (control.min + (control.max - control.min) * (turn + 1) / 20)


def share(control: Any, turn: int) -> float:
    """Shares of a linear slider, none twice."""
    return 0.2 + 0.03 * turn


def option(control: Any, turn: int) -> Any:
    """The next of a choice's options."""
    values = [o[1] if isinstance(o, tuple) else o for o in control.options]
    return values[(turn + 1) % len(values)]


def open_ranking(board: Any) -> None:
    """Opens notebook 2's tab with the ranking under resampling."""
    board.tabs.selected_index = 2


PAGES = (
    Page(
        "01 localize",
        LocalizeDashboard,
        [
            Action("top-k", lambda board: board.top_k, whole),
            Action("least |score|", lambda board: board.threshold, along),
        ],
    ),
    Page("02 inspect", InspectDashboard, [Action("top-k", lambda board: board.top_k, whole)]),
    Page(
        "02 ranking",
        InspectDashboard,
        [Action("top-k, resampled", lambda board: board.top_k, whole)],
        open_ranking,
    ),
    Page(
        "03 train",
        TrainDashboard,
        [Action("τ", lambda board: board.controls["tau"], share, RECOMPUTE)],
    ),
    Page(
        "04 floor",
        FloorDashboard,
        [
            Action("least |Δ|, refloor", lambda board: board.threshold, along, RECOMPUTE),
            Action("floor, refloor", lambda board: board.kind, option, RECOMPUTE),
        ],
    ),
    Page("05 quantize", DeploymentDashboard, [Action("questions", lambda b: b.role, option)]),
    Page(
        "06 analyse",
        AnalysisDashboard,
        [
            Action("least |score|", lambda board: board.comparison.threshold, along),
            Action("precision", lambda board: board.precision, option),
        ],
    ),
)


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds, and the result."""
    begin = time.perf_counter()
    result = work()
    return time.perf_counter() - begin, result


def act(control: Any, value: Any) -> None:
    """Turns a control, as the page would."""
    control.value = value


def find_run(folder: Path | None, scratch: Path) -> Run:
    """The run to show, finished."""
    default = study_folders(make_config({}), repository() / "papermill_runs" / "default").run
    if folder is None and (default / "scorecard.json").is_file():
        folder = default
    if folder is None:
        run = Run(make_config(dict(TINY)), Folders(scratch / "run", scratch / "shared"))
    else:
        values = read_config(folder / "config.json")
        values.pop("mansu", None)
        run = Run(make_config(values), Folders(folder, folder.parents[1] / "shared"))
    run_study(run)
    return run


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description="Times the dashboards.")
    parser.add_argument("--run", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as scratch:
        run = find_run(options.run, Path(scratch))
        folders = Folders(run.folder, run.shared)
        print(f"dashboards of {run.config.model}, {options.threads} threads; medians in seconds")
        print(f"{'dashboard':<14}{'what':<22}{'seconds':>8}{'bar':>7}")
        for page in PAGES:
            taken = []
            for _ in range(options.repeats):  # a run that has read nothing yet
                fresh = Run(run.config, folders, silent, run.model)
                seconds, board = timed(lambda page=page, fresh=fresh: page.make(fresh))
                taken.append(seconds)
            rows = [("first charts", statistics.median(taken), FIRST)]
            page.prepare(board)
            for action in page.actions:
                control = action.control(board)
                taken = []
                for turn in range(options.repeats):
                    value = action.values(control, turn)
                    taken.append(timed(lambda c=control, v=value: act(c, v))[0])
                rows.append((action.name, statistics.median(taken), action.bar))
            for what, seconds, bar in rows:
                late = "" if seconds <= bar else "  late"
                print(f"{page.name:<14}{what:<22}{seconds:>8.3f}{bar:>7.2f}{late}", flush=True)


if __name__ == "__main__":
    main()
