"""Rows on answers: accuracy, rank among the options, what the options' probabilities did, text."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from mansu.metrics.significance import accuracy_interval, median_interval, paired_gap
from mansu.metrics.text import loss_change
from mansu.study.rows.kept import VIEWS, kept_of, references
from mansu.study.scorecard import Row, Rows
from mansu.study.state import State

if TYPE_CHECKING:  # the stages' last one makes rows of what these hold
    from mansu.study.stages.measure import Behaviour

    Measured = Mapping[State, Behaviour]


def behaviour_rows(measured: "Measured") -> Rows:
    """Accuracy, AUC and options of every role, and the loss on plain text, in every state."""
    return Rows([*_answers(measured), *_options(measured), *_texts(measured)])


def _answers(measured: "Measured") -> Iterator[Row]:
    for role, kept in kept_of(measured).items():
        name, view = VIEWS[role]
        for state, behaviour in measured.items():
            scores, where = behaviour.roles[role], (state.origin, state.format)
            for metric, values in (("accuracy", scores.correct), ("auc", scores.auc)):
                own = values[kept.items]
                found = accuracy_interval(own, kept.facts)
                address = (name, view, metric, *where)
                yield Row(*address, "value", found.value, found.low, found.high, found.n)
                for kind, other in references(state, measured):
                    theirs = measured[other].roles[role]
                    reference = (theirs.correct if metric == "accuracy" else theirs.auc)[kept.items]
                    gap = paired_gap(own, reference, kept.facts)
                    p = gap.p_mcnemar if metric == "accuracy" else None
                    yield Row(*address, kind, gap.value, gap.low, gap.high, found.n, p)


def _options(measured: "Measured") -> Iterator[Row]:
    """Median log-probability of the right and the wrong options of the forget set."""
    for role, kept in kept_of(measured).items():
        name, view = VIEWS[role]
        if name != "forget":
            continue
        for state, behaviour in measured.items():
            for side in ("right", "wrong"):
                own = _side(behaviour, role, side)[kept.items]
                address = (name, view, f"log_prob_{side}", state.origin, state.format)
                yield Row(*address, "value", float(np.median(own)), n=len(own))
                for kind, other in references(state, measured):
                    if kind == "change":
                        fall = own - _side(measured[other], role, side)[kept.items]
                        found = median_interval(fall, kept.facts)
                        yield Row(*address, kind, found.value, found.low, found.high, found.n)


def _side(behaviour: "Behaviour", role: str, side: str) -> np.ndarray:
    """``[items, options of that side]``"""
    scores = behaviour.roles[role]
    return scores.right[:, None] if side == "right" else scores.wrong


def _texts(measured: "Measured") -> Iterator[Row]:
    for state, behaviour in measured.items():
        where = (state.origin, state.format)
        losses, windows = behaviour.text, len(behaviour.text.tokens)
        yield Row("utility", "text", "perplexity", *where, "value", losses.perplexity)
        yield Row("utility", "text", "loss", *where, "value", losses.mean, n=windows)
        for kind, other in references(state, measured):
            theirs = measured[other].text
            change = losses.perplexity - theirs.perplexity
            yield Row("utility", "text", "perplexity", *where, kind, change)
            rise = loss_change(losses, theirs)
            yield Row(
                "utility", "text", "loss", *where, kind, rise.value, rise.low, rise.high, rise.n
            )
