"""What can be answered without knowing: pure functions behind the level L. [O]

L takes the place of chance. It is the larger of two accuracies: that of answering by how often
each option answers a question of the set, and that of the original model on an invented twin of
the set. What spelling alone gives is printed beside it and is no threshold.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import takewhile
from operator import eq

import numpy as np
from numpy.typing import NDArray

from mansu.data.facts import FactSet
from mansu.data.items import Item
from mansu.data.templates import Fact

RIDGE = 1e-2  # keeps the weights finite where a feature separates the answers
NEWTON_STEPS = 20

Floats = NDArray[np.float64]


def frequency_values(items: Sequence[Item], facts: FactSet) -> Floats:
    """How often each option answers a question of the set in its words, ``[items, options]``.

    Where no wrong option of the set answers any question, each counts as one that answers once: who
    knows which texts are answers knows all there is to know. Of options that a far prompt put
    letters before, none does: any letter answers as often as another.
    """
    uses = {
        template.id: Counter(template.follow(fact, fact.answer) for fact in facts.facts)
        for template in (*facts.templates, *facts.far)
    }
    answers = {fact.answer for fact in facts.facts}
    apart = not any(answers.intersection(fact.distractors) for fact in facts.facts)
    counts = [[max(uses[i.template_id][o], apart) for o in i.options] for i in items]
    return np.array(counts, dtype=np.float64)


def spelling_values(items: Sequence[Item], facts: Sequence[Fact]) -> Floats:
    """How well each option's spelling goes with the subject's, ``[items, options]``.

    Logistic regression on the options of all other facts: the same first letter, the length of
    the common prefix, the share of letters that stand in the subject in order, and the length.
    Items of a fact are valued by weights that this fact had no part in.

    Args:
        items: The questions.
        facts: The facts asked for, at least two.
    """
    rows, right, owner = [], [], []
    for number, fact in enumerate(facts):
        for option in fact.options:
            rows.append(_features(fact.subject, option))
            right.append(option == fact.answer)
            owner.append(number)
    x, y, owners = np.array(rows), np.array(right, dtype=np.float64), np.array(owner)
    x = (x - x.mean(0)) / np.maximum(x.std(0), 1e-9)
    place = {fact.id: number for number, fact in enumerate(facts)}
    values: dict[tuple[int, str], float] = {}
    for number in sorted({place[item.fact_id] for item in items}):
        others = owners != number
        weights = _fit(x[others], y[others])
        for option, row in zip(facts[number].options, x[~others], strict=True):
            values[number, option.strip()] = float(row @ weights)
    return np.array(
        [[values[place[i.fact_id], option.strip()] for option in i.options] for i in items]
    )


def _features(subject: str, option: str) -> tuple[float, float, float, float]:
    name, word = subject.casefold().removeprefix("the "), option.casefold()
    shared = sum(takewhile(bool, map(eq, name, word)))
    rest = iter(name)
    in_order = sum(letter in rest for letter in word)  # each search goes on from the last find
    return (
        float(name[0] == word[0]),
        float(shared),
        in_order / len(word),
        float(len(word)),
    )


def _fit(x: Floats, y: Floats) -> Floats:
    """Weights of a logistic regression, by Newton's method; the intercept is not returned."""
    x = np.column_stack([x, np.ones(len(x))])
    weights = np.zeros(x.shape[1])
    for _ in range(NEWTON_STEPS):
        p = 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))
        slope = x.T @ (y - p) - RIDGE * weights
        curvature = (x.T * (p * (1 - p))) @ x + RIDGE * np.eye(len(weights))
        weights += np.linalg.solve(curvature, slope)
    return weights[:-1]
