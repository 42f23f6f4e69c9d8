"""Stages: functions of a run whose results are stored, and read again while they are still valid.

::

    @stage("circuit", "run", fields=["top_k", "circuit"], after=[score_original])
    def choose_circuit(run: Run) -> Circuit: ...

The body only computes. The stage owns the key (what the result depends on), the file, the memory of
the result within a run object, and the account of what it cost. A key hashes: the stage's name and
its arguments, the configuration fields it reads, the keys of the stages before it, dtype and files
of the model, the code of the stage's module, of the model's family and of the plugs it calls, and
the versions of the libraries that compute. It is known before anything is computed.

A body that has no result on this model or data raises `NoResultError`. The stage keeps the reason
in the result's place and raises it again when asked; what is built on the result is not computed
then, but for a stage that has something to say without it.
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

from mansu.errors import NoResultError
from mansu.models.fingerprint import hash_file
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
        without: Callable[..., T] | None = None,
    ) -> None:
        functools.update_wrapper(self, compute)
        self.name = name
        self._compute, self._without = compute, without
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

        Raises:
            NoResultError: This stage, or one that it is built on, has no result.
        """
        remembered = run.results.get((self, arguments))
        if remembered is not None:
            return remembered
        found = self.read(run, *arguments)
        if found is None:
            found = self._make(run, arguments, hooks)
        if self._remember:
            run.results[self, arguments] = found
        return found

    def _make(self, run: "Run", arguments: tuple[Argument, ...], hooks: Mapping[str, Any]) -> T:
        """Computes the result and stores it, or else the reason why there is none."""
        if (known := self._read_reason(run, *arguments)) is not None:
            raise known
        compute = functools.partial(self._compute, **hooks)
        try:
            for stage, theirs in self.before(run, *arguments):
                if not stage.is_stored(run, *theirs):  # so that its time is not counted as ours
                    stage(run, *theirs)
        except NoResultError as error:
            if self._without is None:
                raise
            compute = functools.partial(self._without, error)
        start = time.monotonic()
        try:
            found = compute(run, *arguments)
        except NoResultError as error:
            reason = {"word": error.word, "message": str(error)}
            self._store(run, arguments, self._reason_key(run, *arguments), (reason, {}), start)
            raise
        self.write(run, *arguments, result=found, start=start)
        for left in self._scratch(run, *arguments):
            left.unlink(missing_ok=True)
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

    def _read_reason(self, run: "Run", *arguments: Argument) -> NoResultError | None:
        """Why there is no result, where that is known."""
        record = read_result(self.path(run, *arguments), self._reason_key(run, *arguments))
        return None if record is None else NoResultError(**record.tree)

    def _reason_key(self, run: "Run", *arguments: Argument) -> str:
        """Another key than the result's: whoever looks for the result finds none."""
        return f"{self.key(run, *arguments)}, no result"

    def write(self, run: "Run", *arguments: Argument, result: T, start: float) -> None:
        """Stores a result that was begun at a time of :func:`time.monotonic`."""
        packed = pack(self._kind, result)
        self._store(run, arguments, self.key(run, *arguments), packed, start)

    def _store(
        self,
        run: "Run",
        arguments: tuple[Argument, ...],
        key: str,
        packed: tuple[Any, Mapping[str, Any]],
        start: float,
    ) -> None:
        # Linux counts in KiB, macOS in bytes.
        unit = 2**20 if sys.platform == "darwin" else 2**10
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit
        if self.place(run, *arguments) == "run":
            run.open()
        stamp = Stamp(key, round(time.monotonic() - start, 2), peak)
        write_result(self.path(run, *arguments), *packed, stamp)
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
            a run object keeps the result; ``ending``, ``.json`` for a result without tensors;
            ``without``, a function of the `NoResultError`, the run and the arguments that gives
            the result where a stage before it has none.
    """
    return lambda compute: Stage(compute, name, place, **settings)


def libraries() -> Mapping[str, str]:
    """Versions of the libraries that compute."""
    return {name: importlib.metadata.version(name) for name in COMPUTING}


def _hash_plug(plug: Path | str) -> str:
    """What a plug's file computes, what another file holds, or the version of a library."""
    if isinstance(plug, Path):
        return hash_code(plug) if plug.suffix == ".py" else hash_file(plug)
    with suppress(importlib.metadata.PackageNotFoundError):
        return f"{plug} {importlib.metadata.version(plug)}"
    return f"{plug} is not here"
