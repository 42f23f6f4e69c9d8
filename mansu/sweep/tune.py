"""Tunes the methods of a study, each with the same small budget, and writes down what was chosen.

The file that is written holds, method by method, the settings chosen and all that were tried; a
study reads it (``tuned: FILE``). A setting that is finished is kept, and one that was cut short
goes on from its last check, so that a search may be run in slices; on another machine, too, which
has the file alone: a setting whose training would be the same as the file's is taken from it.
Studies of the same model, sets, seed and fields may search different methods into one file.
"""

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mansu.errors import InputError, RunError
from mansu.study.cells import columns
from mansu.study.config import MEASURED, RELEARN, UNNAMED, StudyConfig, make_config
from mansu.study.folders import study_folders
from mansu.study.inert import require_effect
from mansu.study.outputs import require_file
from mansu.study.tuned_file import Entry, read_entries, read_own, write_entries
from mansu.study.tuning import PATIENCE, Tried, judge_checks, possible, search
from mansu.sweep.grid import Study, read_study, shared_fields
from mansu.sweep.lock import alone
from mansu.sweep.places import repository
from mansu.unlearn.checkpoint import Validation
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
        InputError: The study or the budget does not fit, or another search writes the file.
    """
    study = read_study(path)
    _require_searchable(study, path)
    end = time.monotonic() + seconds_of(budget)
    root = repository() / "papermill_runs" / study.study
    file = out or root / "tuned.yaml"
    require_file(file, "--out" if out else "")
    for name in study.methods:
        _require_trainable(study, name, root)
    with alone(file):
        return _search_all(study, root, file, end), file


def _search_all(study: Study, root: Path, file: Path, end: float) -> bool:
    """Goes on with every method's search; whether all are over."""
    before = read_own(file, _searched_on(study))
    found: dict[str, _Search] = {}
    try:
        for name in study.methods:
            found[name] = one = _Search(study, name, root, end)
            one.go_on(before[name].tried if name in before else ())
    except _OverError:
        return False
    finally:
        entries = {name: entry for name, one in found.items() if (entry := one.entry) is not None}
        if entries:
            write_entries(file, _searched_on(study), before | entries)
    return True


def tuned_table(file: Path) -> str:
    """What a search tried, as plain text; the settings chosen are marked."""
    if not file.is_file():
        return "No setting is finished yet."
    rows = [["method", "settings", "AUC", "level", "retain", "wrong options", "step", "s", ""]]
    for name, entry in read_entries(file).items():
        for one in entry.tried:
            settings = ", ".join(f"{n} {v:g}" for n, v in one.settings.items()) or "defaults"
            chosen = "chosen" if one.settings == entry.chosen else ""
            rows.append([name, settings, *_told(one.check), f"{one.seconds:.0f}", chosen])
    return "\n".join(columns(rows, "llrrrrrrl"))


def _told(check: Validation | None) -> list[str]:
    if check is None:
        return ["–"] * 5
    return [
        *(f"{check.auc:.2f}", f"{check.level:.2f}", f"{-100 * check.retain_drop:+.1f} pp"),
        *(f"{-check.fall:+.1f} nats", str(check.step)),
    ]


def _require_searchable(study: Study, path: Path) -> None:
    """Refuses a study that no search is on, and all of its keys that a search would not read.

    Raises:
        InputError: It is one, or has one.
    """
    if len(study.models) != 1 or len(study.sets) != 1 or len(study.seeds) != 1:
        raise InputError(f"Study {path}: tuning takes one model, one group of sets and one seed.")
    unread = {"variants": any(study.variants), "tuned": study.tuned is not None}
    if named := [name for name, given in unread.items() if given]:
        raise InputError(
            f"Study {path}: a search begins at each method's defaults and reads no "
            f"{' and no '.join(named)}; leave it out."
        )
    if named := sorted({*study.set} & {*MEASURED, RELEARN}):
        raise InputError(
            f"Study {path}: set: a search measures nothing beside its own checks, so nothing reads "
            f"{', '.join(named)}; leave it out."
        )


def _require_trainable(study: Study, name: str, root: Path) -> None:
    """Refuses a method that cannot be searched: any setting that the search may come to counts.

    Raises:
        InputError: It is one.
    """
    from mansu.study.run import Run

    method = find_method(name)
    if not hasattr(method.settings(), "learning_rate"):
        raise InputError(f"methods: {name} trains nothing, so there is nothing to tune.")
    if searched := sorted({"learning_rate", method.strength} & {*shared_fields(study, name)}):
        raise InputError(f"set: the search itself tries {name}'s {searched[0]}; leave it out.")
    usual = _config(study, name, {})
    Run(usual, study_folders(usual, root))
    for values in possible(method):
        config = _config(study, name, values)
        require_effect(config)
        method.refuse(config.model, config.settings)


def _grid(study: Study) -> dict[str, Any]:
    """Model, sets and seed."""
    sets = study.sets[0]
    roles = {"forget": sets.forget, "retain": sets.retain, "utility": sets.utility}
    return {"model": study.models[0], **roles, "seed": study.seeds[0]}


def _searched_on(study: Study) -> dict[str, Any]:
    """What every training of a search has, as the study's file says it, wherever it is computed."""
    return _grid(study) | {name: v for name, v in study.set.items() if name not in UNNAMED}


def _config(study: Study, name: str, own: dict[str, Any]) -> StudyConfig:
    """The configuration of one setting of a method."""
    given = {**_grid(study), **shared_fields(study, name), "method": name}
    return make_config({**given, "settings": {"patience": PATIENCE, **own}})


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

    @property
    def entry(self) -> Entry | None:
        """All that is known: what this slice did not come to stays as it was."""
        tried = (*self.tried, *self.left)
        return Entry.of(tried, self.finished) if tried else None

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


def seconds_of(budget: str | None) -> float:
    """A time such as 150m in seconds; without limit, where none is given.

    Raises:
        InputError: It is none.
    """
    if budget is None:
        return float("inf")
    found = re.fullmatch(r"([1-9]\d{0,5})([smh])", budget.strip())
    if not found:
        raise InputError(f"--budget {budget!r}: give a time such as 90s, 150m or 2h.")
    return int(found[1]) * _UNITS[found[2]]
