"""Rows on what a model says to the forget set's prompts, when no options are offered."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from mansu.metrics.significance import accuracy_interval
from mansu.study.rows.kept import references
from mansu.study.scorecard import Row, Rows
from mansu.study.state import State

if TYPE_CHECKING:  # the stages' last one makes rows of what these hold
    from mansu.study.stages.measure import Behaviour


def speech_rows(measured: "Mapping[State, Behaviour]") -> Rows:
    """Kind probability, degenerate continuations, subject dependence and kind entropy."""
    return Rows(_speech(measured))


def _speech(measured: "Mapping[State, Behaviour]") -> Iterator[Row]:
    for state, behaviour in measured.items():
        said = behaviour.speech
        facts, where = list(said.facts), (state.origin, state.format)
        for metric in ("kind", "degenerate"):
            own: np.ndarray = getattr(said, metric)
            found = accuracy_interval(own, facts)
            address = ("forget", "open", metric, *where)
            yield Row(*address, "value", found.value, found.low, found.high, found.n)
            for kind, other in references(state, measured):
                change = accuracy_interval(own - getattr(measured[other].speech, metric), facts)
                yield Row(*address, kind, change.value, change.low, change.high, change.n)
        for metric, values in (
            ("subject_dependence", said.dependence),
            ("kind_entropy", said.kind_entropy),
        ):
            mean = float(np.mean([*values.values()]))
            yield Row("forget", "open", metric, *where, "value", mean, n=len(values))
