"""Rows on what a state writes to benchmarks' tasks."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from mansu.metrics.significance import accuracy_interval
from mansu.study.rows.kept import references
from mansu.study.rows.own import BENCHMARK
from mansu.study.scorecard import Row
from mansu.study.state import State

if TYPE_CHECKING:
    from mansu.study.stages.reply import Replies


def reply_rows(replied: "Mapping[str, Mapping[State, Replies]]") -> Iterator[Row]:
    """The figures of every benchmark in every state, with intervals over its tasks.

    Args:
        replied: Replies by benchmark and state, to the same tasks.
    """
    for name, found in replied.items():
        for state, replies in found.items():
            for figure, values in replies.values.items():
                tasks = [str(task) for task in replies.tasks[figure]]
                address = (BENCHMARK, name, figure, state.origin, state.format)
                mean = accuracy_interval(values, tasks)
                yield Row(*address, "value", mean.value, mean.low, mean.high, mean.n)
                for kind, other in references(state, found):
                    change = accuracy_interval(values - found[other].values[figure], tasks)
                    yield Row(*address, kind, change.value, change.low, change.high, change.n)
