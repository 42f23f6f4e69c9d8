"""Phase 2, second half: the method unlearns. Resumes from the last check."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mansu.models.names import layer_of
from mansu.registry import plugs
from mansu.study.cache.codec import pack, unpack
from mansu.study.cache.records import Stamp, hash_json, read_result, write_result
from mansu.study.cache.stage import Upstream, stage
from mansu.study.config import own_fields
from mansu.study.run import Run
from mansu.study.stages.checks import validator
from mansu.study.stages.draw import draw
from mansu.study.stages.fisher import (
    measure_fisher,
    scope_of,
    trainable_weights,
    training_examples,
)
from mansu.study.stages.localize import choose_circuit
from mansu.study.stages.target import make_target
from mansu.study.state import FORMATS, FP
from mansu.unlearn.checkpoint import StepRecord, Validation
from mansu.unlearn.checkpoint import kept_of as kept_of
from mansu.unlearn.mask import Movable, all_movable
from mansu.unlearn.methods import find_method
from mansu.unlearn.task import Progress, Task, Trained, Update

# Told of every step's losses and every check's accuracies so far.
Watch = Callable[[Sequence[StepRecord], Sequence[Validation]], None]


@dataclass(frozen=True)
class Course:
    """What is stored of a training.

    Attributes:
        history: Losses of every step.
        validations: Accuracies of every check.
        finished: Whether it ended; otherwise it goes on from its last check.
    """

    history: list[StepRecord]
    validations: list[Validation]
    finished: bool


class StudyDiary:
    """A training's checks, states and progress, in the run's folder.

    Args:
        run: The run.
        watch: Told after every step and every check. One that raises ends the training; the state
            of the last check is kept.
    """

    def __init__(self, run: Run, watch: Watch) -> None:
        self._run, self._watch = run, watch
        self._resumed = resumed = _read_half_way(run)
        self._history = list(resumed.history) if resumed else []
        self._validations = list(resumed.validations) if resumed else []
        self._report = run.report("training")
        self._validate: Callable[[Trained, int], Validation] | None = None

    @property
    def resumed(self) -> Progress | None:
        """Where a killed training was."""
        return self._resumed

    def check(self, trained: Trained, step: int) -> Validation:
        """See :func:`mansu.study.stages.checks.validator`."""
        if self._validate is None:
            self._validate = validator(self._run, min(map(layer_of, trained.weights[FP])))
        return self._validate(trained, step)

    def save(self, progress: Progress) -> None:
        """Writes the state, for a training that is killed later on."""
        self._run.open()  # for some methods this is the folder's first file
        stamp = Stamp(train.key(self._run), 0.0, 0)
        write_result(_half_way(self._run), *pack(Progress, progress), stamp)
        self._validations[:] = progress.validations
        self._watch(self._history, self._validations)

    def note(self, record: StepRecord, steps: int) -> None:
        """Tells of a step."""
        self._history.append(record)
        self._watch(self._history, self._validations)
        self._report(record.step, steps)


def task_of(run: Run, watch: Watch = lambda history, validations: None) -> Task:
    """What a run's method is given."""
    forget, retain = training_examples(run)
    return Task(
        model=run.model,
        seed=run.config.seed,
        forget=forget,
        retain=retain,
        weights=trainable_weights(run),
        codebooks=run.codebooks,
        through=_runs_through_the_quantizer(run),
        diary=StudyDiary(run, watch),
        find_fisher=partial(measure_fisher, run),
        find_prior=partial(make_target, run),
    )


def find_movable(run: Run) -> Movable:
    """The weights that the method's training may move.

    Raises:
        RunError: There is none.
    """
    method = find_method(run.config.method)
    if method.movable is None:
        return all_movable(trainable_weights(run))
    return method.movable(task_of(run), run.config.settings)


def _runs_through_the_quantizer(run: Run) -> bool:
    """Only in_loop trains differently; the other floors are applied to the same plain training."""
    return run.config.floor == "in_loop"


def _fields(run: Run) -> Sequence[str]:
    """All that the method reads; what it would not read under the others' values is left out."""
    method, config = find_method(run.config.method), run.config
    idle = method.idle(config.settings, config.floor)
    own = [field.name for field in own_fields(config.method) if field.name not in idle]
    aimed = method.aims or _runs_through_the_quantizer(run)
    return ("method", "seed", *own, *(["target"] if aimed else []))


def _before(run: Run) -> list[Upstream]:
    needs = find_method(run.config.method).needs(run.config.settings)
    located = [(choose_circuit, ())] if scope_of(run.config).on_circuit else []
    asked = {"fisher": measure_fisher, "prior": make_target}
    return [(draw, ()), *located, *((asked[name], ()) for name in sorted(needs & asked.keys()))]


def _inputs(run: Run) -> list[str]:
    through = "through" if _runs_through_the_quantizer(run) else "plain"
    read = find_method(run.config.method).reads(run.config.settings)
    return [through, *([hash_json(read)] if read else [])]


def _plugs(run: Run) -> list[Path]:
    """The method, and the formats that checks are made in."""
    formats = plugs(FORMATS)
    return [
        plugs("mansu.unlearn.methods")[run.config.method],
        formats[FP],
        *(formats[name] for name in run.config.target),
    ]


@stage(
    "trained",
    "run",
    fields=_fields,
    after=_before,
    inputs=_inputs,
    plugs=_plugs,
    scratch=lambda run: [_half_way(run)],
)
def train(run: Run, watch: Watch = lambda history, validations: None) -> Update:
    """Trains, resumes training, or reads the finished checkpoint.

    Args:
        run: The run.
        watch: See :class:`StudyDiary`.
    """
    return find_method(run.config.method).unlearn(task_of(run, watch), run.config.settings)


def read_course(run: Run) -> Course | None:
    """Reads what is stored of the run's training, finished or stopped; trains nothing."""
    done = train.read(run)
    if done is not None:
        return Course(done.history, done.validations, finished=True)
    half = _read_half_way(run)
    return None if half is None else Course(half.history, half.validations, finished=False)


def _half_way(run: Run) -> Path:
    return run.folder / "training.safetensors"


def _read_half_way(run: Run) -> Progress | None:
    record = read_result(_half_way(run), train.key(run))
    return None if record is None else unpack(Progress, record.tree, record.tensors)
