"""Phase 2, second half: training. Resumes from the last check."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from mansu.models.names import layer_of
from mansu.registry import plugs
from mansu.study.cache.codec import pack, unpack
from mansu.study.cache.records import Stamp, read_result, write_result
from mansu.study.cache.stage import Upstream, stage
from mansu.study.run import Run
from mansu.study.stages.checks import validator
from mansu.study.stages.draw import draw
from mansu.study.stages.fisher import (
    find_movable,
    measure_fisher,
    trainable_weights,
    training_examples,
)
from mansu.study.stages.localize import choose_circuit
from mansu.study.stages.target import make_target
from mansu.study.state import FORMATS, FP
from mansu.unlearn.checkpoint import StepRecord, Validation
from mansu.unlearn.checkpoint import kept_of as kept_of
from mansu.unlearn.in_loop import InLoopLatents
from mansu.unlearn.latents import Latents
from mansu.unlearn.methods import find_method
from mansu.unlearn.trainer import Trainer, TrainProgress, TrainSettings
from mansu.unlearn.view import View

TRAIN_FIELDS = (
    *("forget_loss", "retain_weight", "learning_rate", "steps"),
    *("forget_batch", "retain_batch", "validate_every", "seed"),
)
NPO_FIELDS = ("beta", "margin")

# Told of every step's losses and every check's accuracies so far.
Watch = Callable[[Sequence[StepRecord], Sequence[Validation]], None]


@dataclass(frozen=True)
class Trained:
    """The checkpoint that training keeps.

    Attributes:
        index: Flat indices of the movable weights, by weight name.
        values: Their latents, ``[movable]``, in the order of ``index``.
        history: Losses of every step.
        validations: Accuracies of every check.
        best: The check the checkpoint comes from; None when the method has a rule and no check
            kept the retain set and spoke on, in which case ``values`` are the original weights.
    """

    index: dict[str, torch.Tensor]
    values: torch.Tensor
    history: list[StepRecord]
    validations: list[Validation]
    best: Validation | None

    def matrices(self, originals: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The originals with the latents written in, in the originals' dtype."""
        parts = self.values.split([index.numel() for index in self.index.values()])
        result = {name: weight.clone() for name, weight in originals.items()}
        for (name, index), part in zip(self.index.items(), parts, strict=True):
            flat = result[name].view(-1)
            flat[index.to(flat.device)] = part.to(flat.device, flat.dtype)
        return result


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


def _runs_through_the_quantizer(run: Run) -> bool:
    """Only in_loop trains differently; the other floors are applied to the same plain training."""
    return run.config.floor == "in_loop"


def _fields(run: Run) -> Sequence[str]:
    masked = find_method(run.config.method).scope == "circuit"
    through = _runs_through_the_quantizer(run)
    own = [*(["tau"] if masked else []), *(["rho", "target"] if through else [])]
    return (*_loop_fields(run), "method", "wordings", *own)


def _loop_fields(run: Run) -> Sequence[str]:
    """The fields that the loop reads."""
    npo = run.config.forget_loss in ("npo", "npo_sum")
    return (*TRAIN_FIELDS, *(NPO_FIELDS if npo else ()))


def _before(run: Run) -> list[Upstream]:
    masked = find_method(run.config.method).scope == "circuit"
    aimed = run.config.forget_loss == "prior"
    return [
        (draw, ()),
        *([(choose_circuit, ()), (measure_fisher, ())] if masked else []),
        *([(make_target, ())] if aimed else []),
    ]


def _plugs(run: Run) -> list[Path]:
    """The method, and the formats that checks are made in."""
    formats = plugs(FORMATS)
    return [
        plugs("mansu.unlearn.methods")[run.config.method],
        formats[FP],
        formats[run.config.target],
    ]


@stage(
    "trained",
    "run",
    fields=_fields,
    after=_before,
    inputs=lambda run: ["through" if _runs_through_the_quantizer(run) else "plain"],
    plugs=_plugs,
    scratch=lambda run: [_half_way(run)],
)
def train(run: Run, watch: Watch = lambda history, validations: None) -> Trained:
    """Trains, resumes training, or reads the finished checkpoint.

    Args:
        run: The run.
        watch: Told after every step and every check. One that raises ends the training; the state
            of the last check is kept.
    """
    method, config = find_method(run.config.method), run.config
    movable = find_movable(run)
    index = {name: index for name, index in movable.index.items() if len(index)}
    weights = {name: weight for name, weight in trainable_weights(run).items() if name in index}
    moving = replace(movable, index=index)
    through = _runs_through_the_quantizer(run)
    latents = InLoopLatents(weights, moving, run.codebook) if through else Latents(weights, moving)
    lowest = min(map(layer_of, weights))
    views = [View(run.model, list(weights), lowest, p) for p in latents.precisions]
    forget, retain = training_examples(run)
    fields = {name: getattr(config, name) for name in _loop_fields(run)}
    settings = TrainSettings(**fields, keep=method.keep)

    resumed = _read_half_way(run)
    history = list(resumed.history) if resumed else []
    validations = list(resumed.validations) if resumed else []
    report = run.report("training")

    def save(progress: TrainProgress) -> None:
        run.open()  # for some methods this is the folder's first file
        stamp = Stamp(train.key(run), 0.0, 0)
        write_result(_half_way(run), *pack(TrainProgress, progress), stamp)
        validations[:] = progress.validations
        watch(history, validations)

    def note(record: StepRecord) -> None:
        history.append(record)
        watch(history, validations)
        report(record.step, settings.steps)

    trainer = Trainer(
        latents,
        views,
        forget,
        retain,
        settings,
        validate=validator(run, lowest),
        save=save,
        prior=make_target(run) if config.forget_loss == "prior" else None,
    )
    ended = trainer.run(resumed, note)
    kept = latents.original if ended.best is None else ended.best
    best = None if ended.best is None else kept_of(ended.validations, method.keep)
    return Trained(index, kept, ended.history, ended.validations, best)


def read_course(run: Run) -> Course | None:
    """Reads what is stored of the run's training, finished or stopped; trains nothing."""
    done = train.read(run)
    if done is not None:
        return Course(done.history, done.validations, finished=True)
    half = _read_half_way(run)
    return None if half is None else Course(half.history, half.validations, finished=False)


def _half_way(run: Run) -> Path:
    return run.folder / "training.safetensors"


def _read_half_way(run: Run) -> TrainProgress | None:
    record = read_result(_half_way(run), train.key(run))
    return None if record is None else unpack(TrainProgress, record.tree, record.tensors)
