"""The four states that are compared, θ₀ and θ as they are and as deployed, and what each computes.

A state is entered only to compute something: entering quantizes a whole model, which takes longer
than reading what is stored.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch

from mansu.circuit import EdgeScores, source_differences
from mansu.models import LanguageModel
from mansu.study.run import Run, once
from mansu.study.stages.draw import draw
from mansu.study.stages.floor import floor, unlearned_model
from mansu.study.stages.localize import (
    FIELDS,
    attribute_now,
    localize,
    pack_scores,
    unpack_scores,
)
from mansu.unlearn.view import Precision, in_precision

Origin = Literal["original", "unlearned"]


@dataclass(frozen=True)
class State:
    """Attribution of one state of the model.

    Attributes:
        scores: Edge scores on the run's pairs.
        differences: Source differences at the last position, ``[pairs, sources, d]``.
    """

    scores: EdgeScores
    differences: torch.Tensor


@dataclass(frozen=True)
class Attributions:
    """The four states that CAD compares."""

    original: State
    original_nf4: State
    unlearned: State
    unlearned_nf4: State


@contextmanager
def in_state(run: Run, origin: Origin, precision: Precision) -> Iterator[LanguageModel]:
    """The run's model, original or unlearned, in a precision, for the length of a ``with`` block.

    Args:
        run: The run; its unlearned checkpoint is made or read as far as it is needed.
        origin: θ₀ or θ.
        precision: As it is held, or as deployed.
    """
    if origin == "original":
        with in_precision(run.model, precision) as model:
            yield model
    else:
        with unlearned_model(run), in_precision(run.model, precision) as model:
            yield model


@once
def attribute_states(run: Run) -> Attributions:
    """Attributes θ₀, Q(θ₀), θ and Q(θ), or reads their attributions."""
    return Attributions(
        _attribute(run, "original", "fp"),
        attribute_original_nf4(run),
        _attribute(run, "unlearned", "fp"),
        _attribute(run, "unlearned", "nf4"),
    )


def attribute_original_nf4(run: Run) -> State:
    """Attributes Q(θ₀), or reads its attribution."""
    return _attribute(run, "original", "nf4")


def _attribute(run: Run, origin: Origin, precision: Precision) -> State:
    name = origin if precision == "fp" else f"{origin}-{precision}"
    inputs = [draw(run).key, *([floor(run).key] if origin == "unlearned" else [])]
    stage = run.stage(f"attribute {name}", FIELDS, ["circuit", "quant"], *inputs)
    path = run.folder / f"state-{name}.safetensors"
    if origin == "original":  # of all runs on this model and data
        path = stage.path(f"state-{name}", ".safetensors")
    stored = stage.read_tensors(path)
    if stored is not None:
        return State(unpack_scores(stored), stored.tensors["differences"])
    with in_state(run, origin, precision):
        task = f"attribution, {name.replace('-', ', ')}"
        scores = localize(run).scores if name == "original" else attribute_now(run, task)
        differences = source_differences(run.model, draw(run).pairs)
    tensors, graph = pack_scores(scores)
    stage.write_tensors(path, {**tensors, "differences": differences}, graph)
    return State(scores, differences)
