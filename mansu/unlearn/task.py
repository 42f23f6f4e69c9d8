"""What a method is given, and what it gives back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch

from mansu.data.examples import Example
from mansu.models import LanguageModel
from mansu.quant.codebook import Codebook
from mansu.unlearn.checkpoint import Keep, StepRecord, Validation, kept_of
from mansu.unlearn.fisher import Fisher
from mansu.unlearn.prior import Prior


class Trained(Protocol):
    """What a check measures: weights in every precision that is trained in."""

    @property
    def precisions(self) -> tuple[str, ...]: ...
    @property
    def weights(self) -> dict[str, dict[str, torch.Tensor]]: ...


@dataclass
class Progress:
    """All that a killed training needs to go on exactly where it was.

    Attributes:
        step: Steps done.
        values: What is trained, ``[numbers]``.
        momentum, variance: AdamW's moments, ``[numbers]``.
        best: The values of the kept checkpoint so far, or None.
        history: Every step's losses.
        validations: Every check's accuracies.
        beside: What a method's own rule remembers, by name.
    """

    step: int
    values: torch.Tensor
    momentum: torch.Tensor
    variance: torch.Tensor
    best: torch.Tensor | None = None
    history: list[StepRecord] = field(default_factory=list)
    validations: list[Validation] = field(default_factory=list)
    beside: dict[str, torch.Tensor] = field(default_factory=dict)


class Diary(Protocol):
    """All of a training that touches disk or screen."""

    @property
    def resumed(self) -> Progress | None:
        """Where a killed training was, or None."""
        ...

    def check(self, trained: Trained, step: int) -> Validation:
        """Measures the model with what is trained in place, on check items alone."""
        ...

    def save(self, progress: Progress) -> None:
        """Keeps the state."""
        ...

    def note(self, record: StepRecord, steps: int) -> None:
        """Takes a step's losses down."""
        ...


@dataclass(frozen=True)
class Task:
    """What is to be unlearned, from what, and all that a method may ask for.

    Attributes:
        model: θ₀.
        seed: Of the order of the examples, and of whatever a method draws.
        forget: Training examples: seen templates only.
        retain: The same of the retain sets' train facts.
        weights: The original matrices of the method's scope by name; they share the model's
            storage.
        codebooks: Of the formats that training aims at.
        through: Whether it is trained through the quantizer (floor ``in_loop``).
        diary: Checks, states, progress.
        find_fisher: Diagonal Fisher information of ``weights``, measured or read.
        find_prior: The prior target, computed or read.
    """

    model: LanguageModel
    seed: int
    forget: Sequence[Example]
    retain: Sequence[Example]
    weights: Mapping[str, torch.Tensor]
    codebooks: tuple[Codebook, ...]
    through: bool
    diary: Diary
    find_fisher: Callable[[], Fisher]
    find_prior: Callable[[], Prior]


@dataclass(frozen=True)
class Update:
    """What a method made of the weights: the checkpoint it keeps.

    Attributes:
        values: The new values by weight name: of the weights in ``index``, or of the whole matrix.
        index: Flat indices of the weights that could move, by weight name.
        history: Losses of every step.
        validations: Accuracies of every check.
        best: The check that the checkpoint comes from; None where no check kept the retain set and
            spoke on, in which case the values are the original ones.
    """

    values: dict[str, torch.Tensor]
    index: dict[str, torch.Tensor]
    history: list[StepRecord]
    validations: list[Validation]
    best: Validation | None

    @property
    def count(self) -> int:
        """How many weights could move."""
        return sum(values.numel() for values in self.values.values())

    def matrices(self, originals: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The originals with the update written in, in the originals' dtype."""
        result = {name: weight.clone() for name, weight in originals.items()}
        for name, values in self.values.items():
            weight, index = result[name], self.index.get(name)
            if index is None:
                weight.copy_(values.view(weight.shape))
            else:
                weight.view(-1)[index.to(weight.device)] = values.to(weight.device, weight.dtype)
        return result


def kept(progress: Progress, keep: Keep) -> Validation | None:
    """The check that an ended training's checkpoint comes from."""
    return None if progress.best is None else kept_of(progress.validations, keep)
