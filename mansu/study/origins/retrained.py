"""θ_retrain, a model that was trained without the forget set: what forgetting should come to."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mansu.study.state import Origin

if TYPE_CHECKING:
    from mansu.models import LanguageModel
    from mansu.study.run import Run


@contextmanager
def retrained_model(run: "Run") -> "Iterator[LanguageModel]":
    """The run's model with the retrained one's weights in place, for the ``with`` block."""
    from mansu.models.pairing import read_weights
    from mansu.models.swap import swapped

    with swapped(run.model.module, read_weights(run.config.retrained, run.model)):
        yield run.model


def _fingerprint(run: "Run") -> list[str]:
    from mansu.models.pairing import checkpoint_fingerprint

    return [checkpoint_fingerprint(run.config.retrained)]


ORIGIN = Origin(
    "retrained",
    "retrained",
    enter=retrained_model,
    place="shared",
    look=("#009e73", "square"),
    asked=lambda config: bool(config.retrained),
    reads=_fingerprint,
)
