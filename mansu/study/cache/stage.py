"""Stages: functions of a run whose results are stored, and read again while they are still valid.

::

    @stage("circuit", "run", fields=["top_k", "circuit"], after=[score_original])
    def choose_circuit(run: Run) -> Circuit: ...

The body only computes. The stage owns the key (what the result depends on), the file, the memory of
the result within a run object, and the account of what it cost. A key hashes: the stage's name and
its arguments, the configuration fields it reads, the keys of the stages before it, dtype and files
of the model, the code of the stage's module, of the model's family and of the plugs it calls, and
the versions of the libraries that compute. It is known before anything is computed.
"""

import functools
import importlib.metadata
import inspect
import resource
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, get_type_hints

from mansu.models.memory import release_memory
from mansu.study.cache.code import hash_code
from mansu.study.cache.codec import pack, unpack
from mansu.study.cache.records import Stamp, hash_json, read_result, read_stamp, write_result
from mansu.study.config import value

if TYPE_CHECKING:
    from mansu.study.run import Run

T = TypeVar("T")
Place = Literal["shared", "run"]
COMPUTING = ("torch", "transformers", "bitsandbytes")

# What a stage is called with beside the run, such as a state: texts that name it in key and file.
Argument = Any
Depends = Sequence["Stage[Any]"] | Callable[..., Iterable["Upstream"]]
Upstream = tuple["Stage[Any]", tuple[Argument, ...]]


class Stage(Generic[T]):
    """A stage; call it with a run, and with its arguments if it has any, for its result.

    Attributes:
        name: What the scorecard's times and its file call it.
    """

    def __init__(
        self,
        compute: Callable[..., T],
        name: str,
        place: Place | Callable[..., Place],
        fields: Sequence[str] | Callable[..., Sequence[str]] = (),
        after: Depends = (),
        inputs: Callable[..., Iterable[str]] = lambda run, *arguments: (),
        plugs: Callable[..., Iterable[Path | str]] = lambda run, *arguments: (),
        scratch: Callable[..., Iterable[Path]] = lambda run, *arguments: (),
        remember: bool = True,
        ending: Literal[".json", ".safetensors"] = ".safetensors",
    ) -> None:
        functools.update_wrapper(self, compute)
        self.name = name
        self._compute = compute
        self._kind: Any = get_type_hints(compute)["return"]
        self._file = Path(inspect.getfile(compute))
        self._place, self._fields, self._after = place, fields, after
        self._inputs, self._plugs, self._scratch = inputs, plugs, scratch
        self._remember, self._ending = remember, ending

    def __call__(self, run: "Run", *arguments: Argument, **hooks: Any) -> T:
        """The result: remembered, read, or computed and stored.

        Args:
            run: The run.
            arguments: What the stage is about, beside the run.
            hooks: Passed on to the body where it computes; no part of the key.
        """
        remembered = run.results.get((self, arguments))
        if remembered is not None:
            return remembered
        found = self.read(run, *arguments)
        if found is None:
            for stage, theirs in self.before(run, *arguments):
                if not stage.is_stored(run, *theirs):  # so that its time is not counted as ours
                    stage(run, *theirs)
            start = time.monotonic()
            found = self._compute(run, *arguments, **hooks)
            self.write(run, *arguments, result=found, start=start)
            for left in self._scratch(run, *arguments):
                left.unlink(missing_ok=True)
        if self._remember:
            run.results[self, arguments] = found
        return found

    def read(self, run: "Run", *arguments: Argument) -> T | None:
        """The stored result, or None where there is no whole one that is still valid."""
        record = read_result(self.path(run, *arguments), self.key(run, *arguments))
        if record is None:
            return None
        try:
            return unpack(self._kind, record.tree, record.tensors)
        except (ValueError, LookupError):
            return None

    def write(self, run: "Run", *arguments: Argument, result: T, start: float) -> None:
        """Stores a result that was begun at a time of :func:`time.monotonic`."""
        # Linux counts in KiB, macOS in bytes.
        unit = 2**20 if sys.platform == "darwin" else 2**10
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit
        key = self.key(run, *arguments)
        if self.place(run, *arguments) == "run":
            run.open()
        stamp = Stamp(key, round(time.monotonic() - start, 2), peak)
        write_result(self.path(run, *arguments), *pack(self._kind, result), stamp)
        release_memory()

    def is_stored(self, run: "Run", *arguments: Argument) -> bool:
        """Whether the result is remembered, or a file says that it holds it."""
        remembered = (self, arguments) in run.results
        return remembered or self.cost(run, *arguments) is not None

    def cost(self, run: "Run", *arguments: Argument) -> Stamp | None:
        """What making the stored result cost, or None."""
        return read_stamp(self.path(run, *arguments), self.key(run, *arguments))

    def costs(self, run: "Run", *arguments: Argument) -> dict[str, Stamp]:
        """What the stored results cost that this one is built on, by their titles."""
        found: dict[str, Stamp] = {}
        for stage, theirs in self.before(run, *arguments):
            found |= stage.costs(run, *theirs)
            if (cost := stage.cost(run, *theirs)) is not None:
                found[" ".join([stage.name, *map(str, theirs)])] = cost
        return found

    def before(self, run: "Run", *arguments: Argument) -> list[Upstream]:
        """The stages whose results this one is built on, with their arguments."""
        if callable(self._after):
            return list(self._after(run, *arguments))
        return [(stage, ()) for stage in self._after]

    def key(self, run: "Run", *arguments: Argument) -> str:
        """Hash of all that the result depends on."""
        cached = run.keys.get((self, arguments))
        if cached is None:
            cached = run.keys[self, arguments] = hash_json(self._depends(run, *arguments))
        return cached

    def _depends(self, run: "Run", *arguments: Argument) -> dict[str, Any]:
        return {
            "stage": [self.name, *map(str, arguments)],
            "config": {name: value(run.config, name) for name in self.fields(run, *arguments)},
            "model": [run.config.dtype, run.fingerprint],
            "code": [
                *(hash_code(self._file), hash_code(run.family_file)),
                *map(_hash_plug, self._plugs(run, *arguments)),
            ],
            "libraries": libraries(),
            "inputs": list(self._inputs(run, *arguments)),
            "after": [stage.key(run, *theirs) for stage, theirs in self.before(run, *arguments)],
        }

    def fields(self, run: "Run", *arguments: Argument) -> Sequence[str]:
        """The configuration fields that the body reads."""
        return self._fields(run, *arguments) if callable(self._fields) else self._fields

    def place(self, run: "Run", *arguments: Argument) -> Place:
        """The folder that the result lies in."""
        return self._place(run, *arguments) if callable(self._place) else self._place  # pyright: ignore

    def path(self, run: "Run", *arguments: Argument) -> Path:
        """The result's file; a shared one is named by its key, so that variants never collide."""
        place = self.place(run, *arguments)
        name = "-".join([self.name, *map(str, arguments)]).replace(" ", "-")
        if place == "run":
            return run.folder / f"{name}{self._ending}"
        return run.shared / f"{name}-{self.key(run, *arguments)[:8]}{self._ending}"


def stage(
    name: str, place: Place | Callable[..., Place], **settings: Any
) -> Callable[[Callable[..., T]], Stage[T]]:
    """Makes a function of a run a stage.

    Args:
        name: See :class:`Stage`.
        place: The run's folder, or the one shared by all runs on the same model and data.
        settings: ``fields``, the configuration fields it reads; ``after``, the stages before it, or
            a function of run and arguments that gives them with their arguments; ``inputs``,
            fingerprints of whatever else it reads; ``plugs``, the files of the plugs it calls and
            the names of libraries of theirs;
            ``scratch``, files that the body keeps until the result is stored; ``remember``, whether
            a run object keeps the result; ``ending``, ``.json`` for a result without tensors.
    """
    return lambda compute: Stage(compute, name, place, **settings)


def libraries() -> Mapping[str, str]:
    """Versions of the libraries that compute."""
    return {name: importlib.metadata.version(name) for name in COMPUTING}


def _hash_plug(plug: Path | str) -> str:
    """What a plug's file computes, or the version of a library."""
    if isinstance(plug, Path):
        return hash_code(plug)
    with suppress(importlib.metadata.PackageNotFoundError):
        return f"{plug} {importlib.metadata.version(plug)}"
    return f"{plug} is not here"
