"""What a benchmark measures in its own way, beside the accuracy that all sets share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # who only names a set needs no torch
    from mansu.data.items import Item
    from mansu.metrics.written import Written


@dataclass(frozen=True)
class Writing:
    """How a benchmark has a model write, and what of that it counts.

    Attributes:
        tokens: New tokens at most.
        template: The template whose prompts are answered.
        ends: Texts that end an answer, beside the model's own end; they are no part of it.
        stemmed: Whether words are compared by their stems.
        cut: Whether the right answer is cut to as many tokens, too.
    """

    tokens: int
    template: str
    ends: tuple[str, ...] = ()
    stemmed: bool = False
    cut: bool = False


@dataclass(frozen=True)
class Asked:
    """A set's questions, and what a model made of them.

    Attributes:
        role: The set's: ``forget``, ``retain`` or ``utility``.
        items: The questions, under all templates.
        answers: The right option's place, ``[items]``.
        losses: Nats per token of each option, ``[items, options]``.
        groups: What each question's fact belongs to.
        written: Answers to the questions of the set's writing template, in their order.
        texts: Log-probabilities of the tokens of each text beside it, by name, in nats.
    """

    role: str
    items: "tuple[Item, ...]"
    answers: np.ndarray
    losses: np.ndarray
    groups: tuple[str | None, ...]
    written: "Written | None" = None
    texts: Mapping[str, tuple[np.ndarray, ...]] = field(default_factory=dict)

    def under(self, template: str, group: str | None = None) -> np.ndarray:
        """Places of the questions under a template, of one group where one is named."""
        asked = zip(self.items, self.groups, strict=True)
        places = [
            place
            for place, (item, own) in enumerate(asked)
            if item.template_id == template and group in (None, own)
        ]
        return np.array(places, dtype=int)

    def right(self, places: np.ndarray) -> np.ndarray:
        """Losses of the right options of some questions, ``[places]``."""
        return self.losses[places, self.answers[places]]

    def wrong(self, places: np.ndarray) -> np.ndarray:
        """Losses of the others, ``[places, options - 1]``."""
        losses, answers = self.losses[places], self.answers[places]
        others = np.arange(losses.shape[1]) != answers[:, None]
        return losses[others].reshape(len(places), losses.shape[1] - 1)


@dataclass(frozen=True)
class Figure:
    """One figure of a set, question by question.

    Attributes:
        name: As rows and tables call it.
        values: ``[questions]``.
        places: The questions, among those of :class:`Asked`.
        part: The part of the set that it is about; empty for all of it.
    """

    name: str
    values: np.ndarray
    places: np.ndarray
    part: str = ""
