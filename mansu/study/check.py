"""What is checked before any work: everything about a run that could fail later.

What costs nothing comes first: a circuit larger than its model is refused before any library that
computes has been imported.
"""

import dataclasses
from typing import TYPE_CHECKING

from mansu.data.facts import check_tokenizes, require_disjoint
from mansu.errors import InputError
from mansu.study.cache.records import read_result
from mansu.study.config import UNNAMED, StudyConfig, make_config
from mansu.study.state import states

if TYPE_CHECKING:
    from mansu.study.run import Run


def check_run(run: "Run") -> None:
    """Refuses a run that could not be finished.

    Raises:
        InputError: Unknown or damaged model, malformed or overlapping fact sets, a circuit larger
            than the model, a device that is not there, an origin or a format whose file holds none,
            a folder that holds another configuration's results. No weight has been read by then.
    """
    from mansu.models.layers import count_layers

    require_disjoint(run.forget, run.retain)
    require_disjoint(run.forget, run.utility)
    check_folder(run)
    check_top_k(run.config, count_layers(run.config.model))
    check_device(run.config.device)
    for state in states(run):
        _ = state.title  # the files of its plugs can be imported
    for facts in (run.forget, run.retain, run.utility):
        check_tokenizes(facts, run.tokenizer)


def check_top_k(config: StudyConfig, layers: int) -> None:
    """Refuses a circuit of more MLP sublayers than the model has.

    Raises:
        InputError: It is.
    """
    if config.top_k > layers:
        raise InputError(
            f"top_k: the model has {layers} MLP sublayers, so the circuit cannot have "
            f"{config.top_k}; lower top_k."
        )


def check_device(device: str) -> None:
    """Refuses a device on which nothing can be computed.

    Raises:
        InputError: It is one.
    """
    import torch

    try:
        torch.ones(1, device=device).item()
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device: '{device}' is not available here.") from error


def check_folder(run: "Run") -> None:
    """Refuses a folder that holds something else than this run's results.

    Raises:
        InputError: It does.
    """
    path = run.folder / "config.json"
    for folder in (run.folder, run.shared):
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder} is a file; give a folder for the results.")
    # Listed first: a run that another process starts meanwhile writes its configuration first.
    others = run.folder.is_dir() and [
        p.name
        for p in run.folder.iterdir()
        if p.name != "shared" and not p.name.startswith(".") and p.suffix != ".ipynb"
    ]
    if not path.is_file():
        # A run whose configuration was lost still has its circuit, its first result.
        if others and read_result(run.folder / "circuit.json") is None:
            raise InputError(
                f"{run.folder} holds other files and no run; give an empty or new folder."
            )
        return
    stored = read_result(path)
    try:
        other = make_config(stored.tree) if stored else None
    except InputError:
        other = None
    if other is None:
        raise InputError(
            f"{path} is damaged or not a run's configuration; delete it to go on with a run of "
            "yours, or give another folder."
        )
    differing = [
        f.name
        for f in dataclasses.fields(StudyConfig)  # pyright: ignore
        if f.name not in UNNAMED and getattr(other, f.name) != getattr(run.config, f.name)
    ]
    if differing:
        raise InputError(
            f"{run.folder} holds a run of another configuration (it differs in "
            f"{', '.join(differing)}); give another folder."
        )
