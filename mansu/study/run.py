"""One run: a configuration, its folders, and what its stages share."""

import dataclasses
import functools
import importlib.metadata
import resource
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import torch

import mansu
from mansu.data.companions import load_companions, require_untrained
from mansu.data.facts import check_tokenizes, load_fact_set, require_disjoint
from mansu.errors import InputError
from mansu.models import LanguageModel, load_model
from mansu.models.fingerprint import hash_files
from mansu.models.loading import find_model, read_config
from mansu.models.memory import release_memory
from mansu.study.config import StudyConfig, make_config
from mansu.study.folders import Folders
from mansu.study.records import (
    Stamp,
    StoredTensors,
    hash_json,
    read_frame,
    read_json,
    read_stamp,
    read_tensors,
    write_frame,
    write_json,
    write_tensors,
)

VERSIONED = ("mansu", "torch", "transformers", "bitsandbytes", "nnsight")
Progress = Callable[[str, int, int], None]
Result = TypeVar("Result")


def silent(task: str, done: int, total: int) -> None:
    """Reports no progress."""


class Run:
    """A configuration with its folders; loads model and data once, on first use.

    Args:
        config: What to compute.
        folders: Where results go.
        progress: Called with (task, done, total) during long work.
        model: The configuration's model, where another run has loaded it already.

    Raises:
        InputError: Anything about the configuration that could fail later: unknown or damaged
            model, malformed or overlapping fact sets, a circuit larger than the model, a folder
            that holds another configuration's results. Nothing has been written by then.
    """

    def __init__(
        self,
        config: StudyConfig,
        folders: Folders,
        progress: Progress = silent,
        model: LanguageModel | None = None,
    ) -> None:
        self.config = config
        if model is not None:
            self.model = model  # in place of the cached property below
        self.folder = folders.run
        self.shared = folders.shared
        self.progress = progress
        self.costs: dict[str, Stamp] = {}
        self.results: dict[Callable[..., Any], Any] = {}
        self.forget = load_fact_set(config.forget)
        self.retain = load_fact_set(config.retain)
        self.utility = load_fact_set(config.utility)
        require_disjoint(self.forget, self.retain)
        require_disjoint(self.forget, self.utility)
        self.companions = load_companions(self.forget)
        for measured in (self.companions.neighbours, self.companions.far_utility):
            if measured is not None:
                require_untrained(measured, self.retain)
        self._check_device()
        self._check_folder()
        layers = read_config(find_model(config.model)).get_text_config().num_hidden_layers
        if config.top_k > layers:
            raise InputError(
                f"top_k: the model has {layers} MLP sublayers, so the circuit cannot have "
                f"{config.top_k}; lower top_k."
            )
        for facts in (self.forget, self.retain, self.utility):
            check_tokenizes(facts, self.model.tokenizer)

    @cached_property
    def model(self) -> LanguageModel:
        """The original model θ₀."""
        dtype = getattr(torch, self.config.dtype)
        return load_model(self.config.model, self.config.device, dtype)

    def open(self) -> None:
        """Claims the run's folder for this configuration by writing ``config.json``."""
        path = self.folder / "config.json"
        self._check_folder()  # another process may have claimed it since
        if not path.is_file():
            write_json(path, dataclasses.asdict(self.config), Stamp("config", 0.0, 0))  # pyright: ignore

    def stage(self, name: str, fields: Sequence[str], code: Sequence[str], *inputs: str) -> "Stage":
        """Opens a stage; its key is a hash of all that its result depends on.

        Args:
            name: The stage's name.
            fields: The configuration fields it reads.
            code: The packages of mansu whose code it runs.
            inputs: Keys of the stages it builds on, fingerprints of the files it reads.
        """
        depends = {
            "stage": name,
            "config": {field: getattr(self.config, field) for field in fields},
            "place": [self.config.device, self.config.dtype, self.model.fingerprint],
            "code": [_code_hash(package) for package in ("models", "data", *code)],
            "inputs": inputs,
        }
        return Stage(self, name, hash_json(depends))

    def report(self, task: str) -> Callable[[int, int], None]:
        """A progress callback for one task."""
        return lambda done, total: self.progress(task, done, total)

    def _check_device(self) -> None:
        try:
            torch.ones(1, device=self.config.device).item()
        except (RuntimeError, AssertionError) as error:
            raise InputError(f"device: '{self.config.device}' is not available here.") from error

    def _check_folder(self) -> None:
        path = self.folder / "config.json"
        for folder in (self.folder, self.shared):
            if folder.exists() and not folder.is_dir():
                raise InputError(f"{folder} is a file; give a folder for the results.")
        # Listed first: a run that another process starts meanwhile writes its configuration first.
        others = self.folder.is_dir() and [
            p.name
            for p in self.folder.iterdir()
            if p.name != "shared" and not p.name.startswith(".") and p.suffix != ".ipynb"
        ]
        if not path.is_file():
            # A run whose configuration was lost still has its circuit, its first result.
            if others and read_json(self.folder / "circuit.json") is None:
                raise InputError(
                    f"{self.folder} holds other files and no run; give an empty or new folder."
                )
            return
        stored = read_json(path)
        try:
            other = make_config(stored[0]) if stored else None
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
            if getattr(other, f.name) != getattr(self.config, f.name) and f.name != "memory_mb"
        ]
        if differing:
            raise InputError(
                f"{self.folder} holds a run of another configuration (it differs in "
                f"{', '.join(differing)}); give another folder."
            )


class Stage:
    """A stage's results on disk: read if they are whole and current, else written.

    Attributes:
        name: What the scorecard's times call it.
        key: Hash of all that the result depends on.
    """

    def __init__(self, run: Run, name: str, key: str) -> None:
        self.name = name
        self.key = key
        self._run = run
        self._start = time.monotonic()

    def path(self, name: str, ending: str) -> Path:
        """A file in the shared folder, named by content, so that variants never collide."""
        return self._run.shared / f"{name}-{self.key[:8]}{ending}"

    def read_json(self, path: Path) -> dict[str, Any] | None:
        """The stored JSON, or None."""
        return self._noted(read_json(path, self.key))

    def read_tensors(self, path: Path) -> StoredTensors | None:
        """The stored tensors, or None."""
        return self._noted(read_tensors(path, self.key))

    def note_cost(self, path: Path) -> None:
        """Counts what stored tensors cost, without reading them."""
        stamp = read_stamp(path, self.key)
        if stamp is not None:
            self._run.costs[self.name] = stamp

    def read_frame(self, path: Path) -> pd.DataFrame | None:
        """The stored table, or None."""
        return self._noted(read_frame(path, self.key))

    def write_json(self, path: Path, payload: dict[str, Any]) -> None:
        """Stores JSON."""
        write_json(path, payload, self._finished())

    def write_tensors(
        self, path: Path, tensors: dict[str, torch.Tensor], extra: dict[str, Any] | None = None
    ) -> None:
        """Stores tensors, and JSON values beside them."""
        write_tensors(path, tensors, self._finished(), extra)

    def write_frame(self, path: Path, frame: pd.DataFrame) -> None:
        """Stores a table."""
        write_frame(path, frame, self._finished())

    def _noted(self, stored: tuple[Any, Stamp] | None) -> Any:
        if stored is None:
            return None
        self._run.costs[self.name] = stored[1]
        return stored[0]

    def _finished(self) -> Stamp:
        # Linux counts in KiB, macOS in bytes.
        unit = 2**20 if sys.platform == "darwin" else 2**10
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit
        stamp = Stamp(self.key, round(time.monotonic() - self._start, 2), peak)
        self._run.costs[self.name] = stamp
        release_memory()
        return stamp


def once(stage: Callable[[Run], Result]) -> Callable[[Run], Result]:
    """Makes a stage function compute or read its result once a run object."""

    @functools.wraps(stage)
    def remembered(run: Run) -> Result:
        if stage not in run.results:
            run.results[stage] = stage(run)
        return run.results[stage]

    return remembered


def versions() -> dict[str, str]:
    """Versions of what computes the numbers."""
    return {name: importlib.metadata.version(name) for name in VERSIONED}


@cache
def _code_hash(package: str) -> str:
    folder = Path(mansu.__file__).parent / package
    return hash_files(sorted(folder.rglob("*.py")))
