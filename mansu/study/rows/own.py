"""Rows on what a benchmark measures in its own way."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from mansu.collections import find_collection
from mansu.data.encoding import encode
from mansu.data.facts import FactSet
from mansu.data.items import Item
from mansu.metrics.figures import Asked, Figure
from mansu.metrics.mcq import McqScores
from mansu.metrics.significance import accuracy_interval
from mansu.study.rows.kept import references
from mansu.study.scorecard import Row, Rows
from mansu.study.state import State

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from mansu.metrics.written import Written
    from mansu.study.stages.measure import Behaviour

BENCHMARK = "benchmark"  # the set of these rows; a view is a set's role, or a part of one
ALL = "all"
RETRAINED = "retrained"  # the origin


@dataclass(frozen=True)
class Questions:
    """A set and its drawn questions.

    Attributes:
        facts: The set.
        items: Its questions, by the role that they were drawn for.
        tokenizer: The model's.
    """

    facts: FactSet
    items: Mapping[str, Sequence[Item]]
    tokenizer: "PreTrainedTokenizerBase"

    @cached_property
    def tokens(self) -> np.ndarray:
        """Tokens of each option that log-probabilities are sums over, ``[items, options]``."""
        if find_collection(self.facts.collection).recited:
            return np.ones((1, 1))  # they are means already (mansu.metrics.recital)

        def length(item: Item, option: str) -> int:
            return len(encode(self.tokenizer, item.prompt, option).continuation_ids)

        asked = (item for items in self.items.values() for item in items)
        return np.array([[length(item, option) for option in item.options] for item in asked])


def own_rows(
    measured: "Mapping[State, Behaviour]",
    written: "Mapping[State, Mapping[str, Written]]",
    sets: Mapping[str, Questions],
    read: "Mapping[State, Mapping[str, tuple[np.ndarray, ...]]]",
) -> Rows:
    """The figures of every set whose collection has any, in every state.

    Args:
        measured: Behaviour by state.
        written: What each state wrote, by the set's role.
        sets: The sets, by role.
        read: What each state made of the forget set's texts.
    """
    rows: list[Row] = []
    means: dict[State, dict[tuple[str, str], float]] = {state: {} for state in measured}
    for role, asked in sets.items():
        collection = find_collection(asked.facts.collection)
        if collection.figures is None and collection.against is None:
            continue
        answers = {
            state: replace(
                _asked(role, asked, behaviour.roles, written.get(state, {}).get(role)),
                texts=read.get(state, {}) if role == "forget" else {},
            )
            for state, behaviour in measured.items()
        }
        figures_of = collection.figures or (lambda asked: ())
        found = {state: [*figures_of(given)] for state, given in answers.items()}
        facts = [item.fact_id for items in asked.items.values() for item in items]
        rows += _rows(role, found, facts)
        for state, figures in found.items():
            means[state] |= {(f.part or role, f.name): float(f.values.mean()) for f in figures}
        if role == "forget" and collection.against is not None:
            rows += _against(answers, collection.against)
    return Rows([*rows, *_overall(sets, means)])


def _asked(
    role: str, asked: Questions, scored: Mapping[str, McqScores], said: "Written | None"
) -> Asked:
    """A set as one state was asked it."""
    parts = [scored[name] for name, items in asked.items.items() if items]
    values = np.concatenate([scores.log_probs for scores in parts])
    answers = np.concatenate([scores.answers for scores in parts])
    groups = {fact.id: fact.group for fact in asked.facts.facts}
    items = tuple(item for role in asked.items.values() for item in role)
    named = tuple(groups[item.fact_id] for item in items)
    return Asked(role, items, answers, -values / asked.tokens, named, said)


def _against(
    answers: Mapping[State, Asked], compare: Callable[[Asked, Asked], Mapping[str, float]]
) -> Iterator[Row]:
    """What every other state is beside the retrained model in its format, where there is one."""
    found = {
        state: compare(asked, other)
        for state, asked in answers.items()
        if (other := answers.get(State(RETRAINED, state.format))) and state.origin != RETRAINED
    }
    return _scalars("forget", found)


def _rows(
    role: str, found: Mapping[State, Sequence[Figure]], facts: Sequence[str]
) -> Iterator[Row]:
    for state, figures in found.items():
        for number, figure in enumerate(figures):
            own = [facts[place] for place in map(int, figure.places)]
            address = (BENCHMARK, figure.part or role, figure.name, state.origin, state.format)
            mean = accuracy_interval(figure.values, own)
            yield Row(*address, "value", mean.value, mean.low, mean.high, mean.n)
            for kind, other in references(state, found):
                change = accuracy_interval(figure.values - found[other][number].values, own)
                yield Row(*address, kind, change.value, change.low, change.high, change.n)


def _overall(
    sets: Mapping[str, Questions], means: Mapping[State, Mapping[tuple[str, str], float]]
) -> Iterator[Row]:
    for name in dict.fromkeys(asked.facts.collection for asked in sets.values()):
        overall = find_collection(name).overall
        if overall is None:
            continue
        yield from _scalars(ALL, {state: overall(values) for state, values in means.items()})


def _scalars(view: str, found: Mapping[State, Mapping[str, float]]) -> Iterator[Row]:
    """Figures that are no mean over questions, by state."""
    for state, figures in found.items():
        for name, value in figures.items():
            address = (BENCHMARK, view, name, state.origin, state.format)
            yield Row(*address, "value", value)
            for kind, other in references(state, found):
                if name in found[other]:
                    yield Row(*address, kind, value - found[other][name])
