"""Runs a study's notebooks through Snakemake and papermill, and says what came out.

Snakemake decides what must run: a notebook runs again when its source, its parameters or the
library changed. This module writes the plan it reads, watches it, and reports.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

import yaml

import mansu
from mansu.errors import InputError, RunError
from mansu.scratch import follow_umask
from mansu.study.cache.records import write_text
from mansu.study.card_text import scorecard_table
from mansu.study.config import StudyConfig
from mansu.study.folders import Folders, study_folders
from mansu.study.outputs import require_folder
from mansu.study.scorecard import Scorecard, read_scorecard
from mansu.study.table_files import to_text
from mansu.study.tables import build_table, find_table
from mansu.sweep import notebooks
from mansu.sweep.environment import KERNELS, sweep_environment
from mansu.sweep.grid import Study, expand, read_study, untuned
from mansu.sweep.lock import holding
from mansu.sweep.places import repository
from mansu.sweep.profiles import find_profile
from mansu.sweep.watch import last_words, watch

ASKED = "original.done"  # in a shared folder, where the original was asked
MEMORY_MB = 8000  # what a cluster is asked for, a notebook


@dataclass(frozen=True)
class Sweep:
    """A study on disk.

    Attributes:
        study: The grid.
        root: Its folder.
        configs: The configurations of its runs.
    """

    study: Study
    root: Path
    configs: tuple[StudyConfig, ...]

    @cached_property
    def folders(self) -> tuple[Folders, ...]:
        """The folders of every run."""
        return tuple(study_folders(config, self.root) for config in self.configs)

    @cached_property
    def targets(self) -> tuple[Path, ...]:
        """Every notebook to execute, shared ones first and once."""
        shared = dict.fromkeys(folders.shared for folders in self.folders)
        return (
            *(place / f"{name}.ipynb" for place in shared for name in notebooks.SHARED),
            *(f.run / f"{name}.ipynb" for f in self.folders for name in notebooks.OWN),
        )

    @cached_property
    def asked(self) -> tuple[Path, ...]:
        """What says that a shared folder's original was asked."""
        return tuple(dict.fromkeys(folders.shared / ASKED for folders in self.folders))

    @property
    def hidden(self) -> Path:
        """Where the sweep keeps its own files."""
        return self.root / ".sweep"


def sweep(
    study_file: Path,
    jobs: int = 1,
    profile: str = "local",
    dry_run: bool = False,
    out: Path | None = None,
) -> int:
    """Executes every notebook of a study that is not up to date, then prints the scorecards.

    Args:
        study_file: The study (see :mod:`mansu.sweep.grid`).
        jobs: Notebooks at a time; the machine's cores are shared out among them.
        profile: Where the notebooks run (see :func:`mansu.sweep.profiles.find_profile`).
        dry_run: Only say what would run.
        out: The study's folder of results; default ``papermill_runs/<study>``.

    Returns:
        0 when all is done, 1 when a notebook failed.

    Raises:
        InputError: The study, or a run of it, cannot work; nothing has been executed.
    """
    study = read_study(study_file)
    home = repository() / "papermill_runs"
    root = out or home / study.study
    require_folder(root)
    plan = Sweep(study, root.resolve(), tuple(expand(study)))
    if jobs < 1:
        raise InputError(f"--jobs {jobs}: at least one notebook must run at a time.")
    if find_spec("snakemake") is None:
        raise InputError("A sweep needs Snakemake; install it with: pip install 'mansu[sweep]'")
    chosen = find_profile(home / "profiles", profile)
    _check_runs(plan)
    if told := untuned(study):
        print(f"mansu: {told}", file=sys.stderr)
    with holding(plan.root) as lock:
        _prepare(plan, jobs)
        command = _command(home / "Snakefile", chosen, plan, jobs)
        environment = sweep_environment(plan.hidden)
        if dry_run:
            return _print_plan(command, environment)
        before = [_modified(target) for target in plan.targets]
        code = watch(command, environment, plan.root, (*plan.targets, *plan.asked), lock)
        ran = sum(_modified(t) != m for t, m in zip(plan.targets, before, strict=True))
    follow_umask(plan.root / ".snakemake")  # Snakemake's records shut others out
    if code:
        return _report_failures(plan)
    print_report(plan)
    if not ran:
        print("\nAll is up to date; nothing was computed.")
    return 0


def _print_plan(command: list[str], environment: dict[str, str]) -> int:
    """Prints one line a notebook: what the sweep would do with it."""
    told = subprocess.run(  # noqa: S603 (our own command line, no shell)
        [*command, "--summary"], env=environment, capture_output=True, text=True, check=False
    )
    lines = [line.split("\t") for line in told.stdout.splitlines()]
    if told.returncode or not lines:
        raise RunError(f"Snakemake could not read the plan: {last_words(told.stderr)}")
    for line in lines[1:]:
        fate = "keep" if line[-1] == "no update" else "run "
        if line[0].endswith(".ipynb"):
            print(f"  {fate}  {line[0].removesuffix('.ipynb')}")
    return 0


def print_report(plan: Sweep) -> None:
    """Prints every run's scorecard and the path of every artefact."""
    width = min(os.get_terminal_size().columns, 120) if sys.stdout.isatty() else 100
    cards: list[Scorecard] = []
    for folders in plan.folders:
        card = read_scorecard(folders.run / "scorecard.json")
        if card is None:
            raise InputError(f"{folders.run} has no whole scorecard.json; run the sweep again.")
        cards.append(card)
        print(f"\n{scorecard_table(card, width)}\n\nartefacts")
        for folder in (folders.shared, folders.run):
            for path in sorted(folder.iterdir()):
                if path.is_file() and not path.name.startswith(".") and path.name != ASKED:
                    print(f"  {_near(path)}")
    if len(cards) > 1:
        table = find_table("summary")
        print(f"\n{to_text(table, build_table(table, cards))}")


def _check_runs(plan: Sweep) -> None:
    """Opens every unfinished run once, so that bad input ends the sweep before it starts."""
    for config, folders in zip(plan.configs, plan.folders, strict=True):
        executed = folders.run / f"{notebooks.OWN[-1]}.ipynb"
        if executed.is_file() and not _is_judged(folders):
            executed.unlink()  # its result is gone or damaged: it is not up to date
        if not executed.is_file():
            from mansu.study.run import Run

            Run(config, folders)


def _is_judged(folders: Folders) -> bool:
    """Whether the run's scorecard is there, whole, and of this version."""
    try:
        return read_scorecard(folders.run / "scorecard.json") is not None
    except InputError:
        return False


def _prepare(plan: Sweep, jobs: int) -> None:
    """Writes what the Snakefile reads; a file that would not change is left alone."""
    hidden, library = plan.hidden, Path(mansu.__file__).parent
    shutil.rmtree(hidden / "status", ignore_errors=True)  # of a sweep that was killed
    for source in notebooks.sources():
        _renew(hidden / "notebooks" / f"{source.stem}.ipynb", notebooks.build(source))
    files = sorted([*library.rglob("*.py"), *(library.parent / "data").glob("*.jsonl")])
    total = hashlib.sha256(b"".join(hashlib.sha256(f.read_bytes()).digest() for f in files))
    _renew(hidden / "library.sha256", total.hexdigest() + "\n")
    # Runs that share a folder share its notebooks; the first of them lends its parameters.
    for config, folders in reversed(list(zip(plan.configs, plan.folders, strict=True))):
        values = asdict(config) | {"out": str(folders.run), "shared": str(folders.shared)}  # pyright: ignore
        text = yaml.safe_dump(values, sort_keys=False)
        for folder in (folders.run, folders.shared):
            place = hidden / "parameters" / folder.relative_to(plan.root)
            _renew(place.with_name(place.name + ".yaml"), text)
    cores = os.cpu_count() or 1
    payload = {
        "targets": [str(target.relative_to(plan.root)) for target in plan.targets],
        "python": sys.executable,
        "kernels": str(KERNELS),
        "notebooks": str(repository() / "notebooks"),
        "threads": max(1, cores // jobs),
        "threads_after": max(1, cores // min(jobs, len(plan.configs))),  # when no more can run
        "gpu": int(any(config.device.startswith("cuda") for config in plan.configs)),
        "mem_mb": MEMORY_MB,
    }
    _renew(hidden / "plan.json", json.dumps(payload, indent=1) + "\n")


def _command(snakefile: Path, profile: Path, plan: Sweep, jobs: int) -> list[str]:
    cores = max(jobs, os.cpu_count() or 1)
    return [
        *(sys.executable, "-m", "snakemake", "--snakefile", str(snakefile)),
        *("--profile", str(profile), "--directory", str(plan.root)),
        *("--configfile", str(plan.hidden / "plan.json")),
        *("--cores", str(cores), "--jobs", str(jobs)),
        # Our own lock dies with its holders; Snakemake's would have to be removed by hand.
        "--nolock",
    ]


def _report_failures(plan: Sweep) -> int:
    for asked in plan.asked:
        if said := "" if asked.is_file() else _log_of(plan, asked).strip():
            print(f"mansu: the original was not asked: {said.splitlines()[-1]}", file=sys.stderr)
    for target in plan.targets:
        executed = target.with_name(f"{target.stem}.failed.ipynb")
        if target.is_file() or not executed.is_file():
            continue
        error = _error_of(executed, _log_of(plan, target))
        print(
            f"mansu: {target.stem} failed: {error}\n  see {_near(executed)}",
            file=sys.stderr,
        )
    print(
        "mansu: the sweep is not complete; what finished is kept, run it again to go on. Log: "
        f"{_near(plan.hidden / 'log.txt')}",
        file=sys.stderr,
    )
    return 1


def _log_of(plan: Sweep, target: Path) -> str:
    """Papermill's words on a notebook that failed."""
    log = plan.hidden / "logs" / f"{target.relative_to(plan.root)}.txt"
    return log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""


def _error_of(executed: Path, log: str) -> str:
    if "DeadKernelError" in log or "Kernel died" in log:  # at work, or as it started
        return "its kernel died, as it does when memory runs out"
    try:
        cells = json.loads(executed.read_text(encoding="utf-8"))["cells"]
        outputs = [output for cell in cells for output in cell.get("outputs", [])]
    except (OSError, ValueError, KeyError):
        return "it could not be read back"
    errors = [o for o in outputs if o.get("output_type") == "error"]
    if not errors:
        return "it was cut off"
    return f"{errors[-1]['ename']}: {errors[-1]['evalue']}"


def _renew(path: Path, text: str) -> None:
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)


def _modified(path: Path) -> int | None:
    return path.stat().st_mtime_ns if path.is_file() else None


def _near(path: Path) -> str:
    """The path, from the current folder where it lies below."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
