"""Tunes the methods of a study, each with the same small budget, and writes down what was chosen.

The file that is written holds, method by method, the settings chosen and all that were tried; a
study reads it (``tuned: FILE``). A setting that is finished is kept, and one that was cut short
goes on from its last check, so that a search may be run in slices.
"""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from mansu.errors import InputError, RunError
from mansu.study.cache.records import write_text
from mansu.study.card_text import columns
from mansu.study.config import StudyConfig, make_config
from mansu.study.config_file import read_config
from mansu.study.folders import study_folders
from mansu.study.tuning import Tried, choose, judge_checks, settings_to_try
from mansu.sweep.grid import Study, read_study, shared_fields
from mansu.sweep.places import repository
from mansu.unlearn.methods import find_method

METHOD_SECONDS = 20 * 60  # after which no further setting of a method is begun
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
    end = time.monotonic() + _seconds(budget) if budget else float("inf")
    root = repository() / "papermill_runs" / study.study
    file, found = out or root / "tuned.yaml", {}
    opened = [(name, _configs(study, name)) for name in study.methods]  # bad input ends it here
    try:
        for name, configs in opened:
            found[name] = []
            _try_all(configs, root, end, found[name].append)
    except _OverError:
        return False, file
    finally:
        _write(file, found)
    return True, file


def tuned_table(file: Path) -> str:
    """What a search tried, as plain text; the settings chosen are marked."""
    if not file.is_file():
        return "No setting is finished yet."
    rows = [["method", "settings", "AUC", "level", "retain", "wrong options", "step", "s", ""]]
    for name, entry in read_config(file).items():
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


def _configs(study: Study, name: str) -> list[tuple[dict[str, Any], StudyConfig]]:
    """What is tried of a method, with the configuration of each."""
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
    searched = {"learning_rate", method.strength}
    base |= {field: value for field, value in fixed.items() if field not in searched}
    return [(own, make_config({**base, "settings": own})) for own in settings_to_try(method)]


def _try_all(
    configs: list[tuple[dict[str, Any], StudyConfig]],
    root: Path,
    end: float,
    keep: Callable[[Tried], None],
) -> None:
    from mansu.study.run import Run
    from mansu.study.stages.train import train

    model, spent = None, 0.0

    def watch(history: Any, validations: Any) -> None:
        if time.monotonic() > end:
            raise _OverError

    for values, config in configs:
        if spent > METHOD_SECONDS:
            keep(Tried(values, None, False, 0.0, "not tried: the method's time was over"))
            continue
        run = Run(config, study_folders(config, root), model=model)
        watch((), ())
        try:
            update = train(run, watch=watch)
        except RunError as error:
            keep(Tried(values, None, False, 0.0, str(error)))
            continue
        finally:
            model = run.__dict__.get("model")
        cost = train.cost(run)
        spent += cost.seconds if cost else 0.0
        check, allowed = judge_checks(update.validations)
        keep(Tried(values, check, allowed, cost.seconds if cost else 0.0))


def _write(file: Path, found: dict[str, list[Tried]]) -> None:
    entries = {
        name: {
            "chosen": choose(tried).settings,
            "finished": len(tried) == len(settings_to_try(find_method(name))),
            "tried": [one.line() for one in tried],
        }
        for name, tried in found.items()
        if tried
    }
    if entries:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_text(file, yaml.safe_dump(entries, sort_keys=False))


def _seconds(budget: str) -> int:
    found = re.fullmatch(r"([1-9]\d{0,5})([smh])", budget.strip())
    if not found:
        raise InputError(f"--budget {budget!r}: give a time such as 90s, 150m or 2h.")
    return int(found[1]) * _UNITS[found[2]]
