"""Tunes the methods of a study, each with the same small budget, and writes down what was chosen.

The file that is written holds, method by method, the settings chosen and all that were tried; a
study reads it (``tuned: FILE``). A setting that is finished is kept, and one that was cut short
goes on from its last check, so that a search may be run in slices; on another machine, too, which
has the file alone: a setting whose training would be the same as the file's is taken from it.
"""

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from mansu.errors import InputError, RunError
from mansu.study.cache.records import write_text
from mansu.study.cells import columns
from mansu.study.config import StudyConfig, make_config
from mansu.study.folders import study_folders
from mansu.study.tuning import (
    PATIENCE,
    ROOT,
    Tried,
    choose,
    judge_checks,
    read_entries,
    read_tried,
    search,
)
from mansu.sweep.grid import Study, read_study, shared_fields
from mansu.sweep.places import repository
from mansu.unlearn.methods import find_method

# Processor time, which two cores give in 20 minutes, after which no further setting of a method is
# begun: a machine that does something else beside gives a method no fewer settings.
METHOD_SECONDS = 2 * 20 * 60
_UNITS = {"s": 1, "m": 60, "h": 3600}


class _OverError(Exception):
    """The slice is over."""


def tune(path: Path, budget: str | None = None, out: Path | None = None) -> tuple[bool, Path]:
    """Tries every setting of every method of a study that is not finished yet.

    Args:
        path: The study; it has one model and one group of sets, of which no table reports.
        budget: Time that this slice may take, such as 150m; without limit, if not given.
        out: The file to write; default ``tuned.yaml`` in the study's folder of results.

    Returns:
        Whether all is done, and the file.

    Raises:
        InputError: The study or the budget does not fit.
    """
    study = read_study(path)
    if len(study.models) != 1 or len(study.sets) != 1 or len(study.seeds) != 1:
        raise InputError(f"Study {path}: tuning takes one model, one group of sets and one seed.")
    end = time.monotonic() + seconds_of(budget) if budget else float("inf")
    root = repository() / "papermill_runs" / study.study
    file = out or root / "tuned.yaml"
    before = read_entries(file) if file.is_file() else {}
    known = {name: read_tried(entry, file) for name, entry in before.items()}
    found: dict[str, _Search] = {}
    for name in study.methods:
        _config(study, name, {})  # bad input ends it here
    try:
        for name in study.methods:
            found[name] = one = _Search(study, name, root, end)
            one.go_on(known.get(name, ()))
    except _OverError:
        return False, file
    finally:
        _write(file, before, found)
    return True, file


def tuned_table(file: Path) -> str:
    """What a search tried, as plain text; the settings chosen are marked."""
    if not file.is_file():
        return "No setting is finished yet."
    rows = [["method", "settings", "AUC", "level", "retain", "wrong options", "step", "s", ""]]
    for name, entry in read_entries(file).items():
        for tried in entry["tried"]:
            settings = ", ".join(f"{n} {v:g}" for n, v in tried["settings"].items()) or "defaults"
            chosen = "chosen" if tried["settings"] == entry["chosen"] else ""
            rows.append([name, settings, *_told(tried), f"{tried['seconds']:.0f}", chosen])
    return "\n".join(columns(rows, "llrrrrrrl"))


def _told(tried: dict[str, Any]) -> list[str]:
    check = tried.get("check")
    if check is None:
        return ["–"] * 5
    return [
        *(f"{check['auc']:.2f}", f"{check['level']:.2f}", f"{-100 * check['retain_drop']:+.1f} pp"),
        *(f"{-check['fall']:+.1f} nats", str(check["step"])),
    ]


def _config(study: Study, name: str, own: dict[str, Any]) -> StudyConfig:
    """The configuration of one setting of a method."""
    sets = study.sets[0]
    base = {
        "model": study.models[0],
        "forget": sets.forget,
        "retain": sets.retain,
        "utility": sets.utility,
        "method": name,
        "seed": study.seeds[0],
    }
    make_config(base)  # an unknown method is told here
    method, fixed = find_method(name), shared_fields(study, name)
    if not hasattr(method.settings(), "learning_rate"):
        raise InputError(f"methods: {name} trains nothing, so there is nothing to tune.")
    searched = {"learning_rate", method.strength}
    base |= {field: value for field, value in fixed.items() if field not in searched}
    return make_config({**base, "settings": {"patience": PATIENCE, **own}})


class _Search:
    """The search over one method's settings, in this slice.

    Args:
        study: The study.
        name: The method.
        root: The study's folder of results.
        end: When the slice is over.

    Attributes:
        tried: What is finished.
        finished: Whether the search is.
        left: What earlier slices tried and this one has not come to.
    """

    def __init__(self, study: Study, name: str, root: Path, end: float) -> None:
        self.tried: list[Tried] = []
        self.finished = False
        self.left: tuple[Tried, ...] = ()
        self._study, self._name, self._root, self._end = study, name, root, end
        self._model: Any = None

    def go_on(self, before: Sequence[Tried]) -> None:
        """Tries one setting after the other.

        Args:
            before: What earlier slices tried.

        Raises:
            _OverError: The slice is over.
        """
        known = {one.key: one for one in before}
        self.left = tuple(before)
        walk = search(find_method(self._name))
        values = next(walk)
        while sum(one.seconds for one in self.tried) < METHOD_SECONDS:
            self.tried.append(self._try(values, known))
            self.left = tuple(one for one in self.left if one.settings != values)
            try:
                values = walk.send(self.tried[-1])
            except StopIteration:
                break
        self.finished, self.left = True, ()

    def _try(self, values: dict[str, Any], known: dict[str, Tried]) -> Tried:
        from mansu.study.run import Run
        from mansu.study.stages.train import train

        config = _config(self._study, self._name, values)
        run = Run(config, study_folders(config, self._root), model=self._model)
        key = train.key(run)
        if key in known:
            return known[key]
        self._watch((), ())
        begun = time.process_time()
        try:
            found = train(run, watch=self._watch).validations
        except RunError as error:
            return Tried(values, None, False, True, time.process_time() - begun, str(error), key)
        finally:
            self._model = run.__dict__.get("model")
        spent = time.process_time() - begun
        check, allowed = judge_checks(found)
        return Tried(values, check, allowed, not found[-1].allowed, spent, key=key)

    def _watch(self, history: Any, validations: Any) -> None:
        if time.monotonic() > self._end:
            raise _OverError


def _write(file: Path, before: dict[str, Any], found: dict[str, _Search]) -> None:
    """Writes all that is known: what this slice did not come to stays as it was."""
    entries = {
        name: {
            "chosen": choose((*one.tried, *one.left)).settings,
            "finished": one.finished,
            "tried": [tried.line() for tried in (*one.tried, *one.left)],
        }
        for name, one in found.items()
        if one.tried or one.left
    }
    if entries:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_text(file, yaml.safe_dump({ROOT: {**before, **entries}}, sort_keys=False))


def seconds_of(budget: str) -> int:
    """A time such as 150m in seconds.

    Raises:
        InputError: It is none.
    """
    found = re.fullmatch(r"([1-9]\d{0,5})([smh])", budget.strip())
    if not found:
        raise InputError(f"--budget {budget!r}: give a time such as 90s, 150m or 2h.")
    return int(found[1]) * _UNITS[found[2]]
