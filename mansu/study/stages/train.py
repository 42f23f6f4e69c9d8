"""Phase 2, second half: training. Resumes from the last check."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from mansu.data.items import Item
from mansu.metrics.mcq import score_items
from mansu.models.swap import swapped
from mansu.study.records import StoredTensors
from mansu.study.run import Run, Stage, once
from mansu.study.stages.draw import draw
from mansu.study.stages.indices import lengthen, shorten
from mansu.study.stages.localize import localize
from mansu.study.stages.movable import (
    find_movable,
    fisher_stage,
    trainable_weights,
    training_examples,
)
from mansu.unlearn.in_loop import InLoopLatents
from mansu.unlearn.latents import Latents
from mansu.unlearn.methods import METHODS
from mansu.unlearn.trainer import (
    Keep,
    StepRecord,
    Trainer,
    TrainSettings,
    TrainState,
    Validation,
    kept_of,
)
from mansu.unlearn.view import View, in_precision

_DONE, _HALF_WAY = "trained.safetensors", "training.safetensors"  # in the run's folder
TRAIN_FIELDS = (
    *("forget_loss", "beta", "margin", "retain_weight", "learning_rate", "steps"),
    *("forget_batch", "retain_batch", "validate_every", "seed"),
)

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
        best: The check the checkpoint comes from; None when the method keeps the retain set and no
            check did, in which case ``values`` are the original weights.
        key: The stage's key.
    """

    index: dict[str, torch.Tensor]
    values: torch.Tensor
    history: list[StepRecord]
    validations: list[Validation]
    best: Validation | None
    key: str

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


@once
def train(run: Run) -> Trained:
    """Trains, resumes training, or reads the finished checkpoint."""
    return train_watched(run, lambda history, validations: None)


def train_watched(run: Run, watch: Watch) -> Trained:
    """Does what :func:`train` does; ``watch`` is told after every step and every check.

    A watcher that raises ends the training; the state of the last check is kept.
    """
    method = METHODS[run.config.method]
    stage = _open(run)
    stored = stage.read_tensors(run.folder / _DONE)
    if stored is not None:
        return _trained(stored.tensors, stored.extra, method.keep, stage.key)
    run.open()
    weights = trainable_weights(run)
    movable = find_movable(run)
    through = run.config.floor == "in_loop"
    latents = (InLoopLatents if through else Latents)(weights, movable)
    lowest = min(localize(run).circuit.layers) if method.scope == "circuit" else 0
    views = [View(run.model, list(weights), lowest, p) for p in latents.precisions]
    forget, retain = training_examples(run)
    config = run.config
    fields = {name: getattr(config, name) for name in TRAIN_FIELDS}
    settings = TrainSettings(**fields, keep=method.keep)
    half_way = run.folder / _HALF_WAY

    resumed = _resume(stage.read_tensors(half_way))
    history = list(resumed.history) if resumed else []
    validations = list(resumed.validations) if resumed else []
    report = run.report("training")

    def save(state: TrainState) -> None:
        stage.write_tensors(half_way, *_pack(state))
        validations[:] = state.validations
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
        validate=_validator(run),
        save=save,
        chance=draw(run).chance,
    )
    state = trainer.run(resumed, note)
    kept = latents.original if state.best is None else state.best
    extra = {
        "history": [dataclasses.asdict(r) for r in state.history],
        "validations": [dataclasses.asdict(v) for v in state.validations],
        "kept": state.best is not None,
    }
    tensors = {f"index/{name}": shorten(index) for name, index in movable.index.items()}
    tensors["values"] = kept
    stage.write_tensors(run.folder / _DONE, tensors, extra)
    half_way.unlink(missing_ok=True)
    return _trained(tensors, extra, method.keep, stage.key)


def read_course(run: Run) -> Course | None:
    """Reads what is stored of the run's training, finished or stopped; trains nothing."""
    stage = _open(run)
    for name in (_DONE, _HALF_WAY):
        stored = stage.read_tensors(run.folder / name)
        if stored is not None:
            history, validations = _records(stored.extra)
            return Course(history, validations, name == _DONE)
    return None


def _open(run: Run) -> Stage:
    method = METHODS[run.config.method]
    mask, tau = method.scope, []
    if method.scope == "circuit":
        fisher, path = fisher_stage(run)
        fisher.note_cost(path)
        mask, tau = fisher.key, ["tau"]
    # Only in_loop trains differently; the other floors are applied to the same plain training.
    through = run.config.floor == "in_loop"
    fields = (*TRAIN_FIELDS, *tau, *(["rho"] if through else []))
    code = ["unlearn", "quant", "metrics"]
    kind = "through the quantizer" if through else "plain"
    return run.stage("train", fields, code, mask, draw(run).key, kind, method.keep)


def _validator(run: Run) -> Callable[[Latents, int], Validation]:
    items = draw(run).items
    base: dict[str, float] = {}

    def accuracy(role: tuple[Item, ...]) -> float:
        return score_items(run.model, role).accuracy

    def validate(current: Latents, step: int) -> Validation:
        forget, drops = [], []
        for precision in current.precisions:
            if precision not in base:
                with in_precision(run.model, precision):
                    base[precision] = accuracy(items["check_retain"])
            # The NF4 model is made from the FP weights, as deployment will make it.
            unlearned = swapped(run.model.module, current.weights["fp"])
            with unlearned, in_precision(run.model, precision):
                forget.append(accuracy(items["check_forget"]))
                drops.append(base[precision] - accuracy(items["check_retain"]))
        return Validation(step, sum(forget) / len(forget), max(drops))

    return validate


def _pack(state: TrainState) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    tensors = {name: getattr(state, name) for name in ("values", "momentum", "variance")}
    if state.best is not None:
        tensors["best"] = state.best
    extra = {
        "step": state.step,
        "history": [dataclasses.asdict(r) for r in state.history],
        "validations": [dataclasses.asdict(v) for v in state.validations],
    }
    return tensors, extra


def _resume(stored: StoredTensors | None) -> TrainState | None:
    if stored is None:
        return None
    history, validations = _records(stored.extra)
    return TrainState(
        step=stored.extra["step"],
        history=history,
        validations=validations,
        best=stored.tensors.pop("best", None),
        **stored.tensors,
    )


def _records(extra: dict[str, Any]) -> tuple[list[StepRecord], list[Validation]]:
    history = [StepRecord(**record) for record in extra["history"]]
    return history, [Validation(**check) for check in extra["validations"]]


def _trained(
    tensors: dict[str, torch.Tensor], extra: dict[str, Any], keep: Keep, key: str
) -> Trained:
    history, validations = _records(extra)
    best = kept_of(validations, keep) if extra["kept"] else None
    index = {
        name.removeprefix("index/"): lengthen(stored)
        for name, stored in tensors.items()
        if name.startswith("index/")
    }
    return Trained(index, tensors["values"], history, validations, best, key)
