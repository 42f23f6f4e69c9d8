"""The rows of a scorecard, from what was measured in each state."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mansu.circuit import Circuit
from mansu.metrics.divergence import activation_shift, circuit_divergence
from mansu.metrics.mcq import McqScores
from mansu.metrics.significance import Estimate, accuracy_interval, paired_gap
from mansu.quant.permanence import MatrixAccount
from mansu.study.rules import RULES
from mansu.study.scorecard import Kind, Row, Rows, known_templates
from mansu.study.state import FP, State

if TYPE_CHECKING:  # the stages' last one makes rows of what these hold
    from mansu.study.stages.attribute import Attribution
    from mansu.study.stages.measure import Behaviour

# A role of items as a set and a view of it.
VIEWS = {
    "forget_seen": ("forget", "seen"),
    "forget_held_out": ("forget", "held-out"),
    "retain": ("retain", "all"),
    "utility": ("utility", "all"),
}


@dataclass(frozen=True)
class Kept:
    """Which items of a role count.

    Attributes:
        items: Whether each does, ``[items]``.
        facts: The facts of those that do.
        templates: The templates that they use, each once.
    """

    items: np.ndarray
    facts: list[str]
    templates: tuple[str, ...]


def keep_items(scores: McqScores, role: str) -> Kept:
    """The items that count: under held-out prompts only where the original model answers.

    Args:
        scores: Of the original model in full precision.
        role: The items' role.
    """
    items = np.ones(len(scores.facts), dtype=bool)
    if role == "forget_held_out":
        known = known_templates(scores, RULES.known)
        items = np.isin(np.array(scores.templates, dtype=object), known)
    pairs = zip(scores.facts, scores.templates, items, strict=True)
    kept = [(fact, template) for fact, template, keep in pairs if keep]
    return Kept(items, [f for f, _ in kept], tuple(sorted({t for _, t in kept})))


def references(state: State, measured: Mapping[State, object]) -> Iterator[tuple[Kind, State]]:
    """What a state is compared with, and what the comparison is called."""
    found: list[tuple[Kind, State]] = [
        ("change", State("original", state.format)),
        ("gap", State(state.origin, FP)),
    ]
    return ((kind, other) for kind, other in found if other != state and other in measured)


def behaviour_rows(measured: "Mapping[State, Behaviour]") -> Rows:
    """Accuracy of every role, and perplexity, in every state and beside its references."""
    return Rows([*_accuracies(measured), *_perplexities(measured)])


def _accuracies(measured: "Mapping[State, Behaviour]") -> Iterator[Row]:
    original = measured[State("original", FP)]
    for role, (name, view) in VIEWS.items():
        if role not in original.roles:
            continue
        kept = keep_items(original.roles[role], role)
        if not kept.facts:
            continue
        for state, behaviour in measured.items():
            address = (name, view, "accuracy", state.origin, state.format)
            correct = behaviour.roles[role].correct[kept.items]
            found = accuracy_interval(correct, kept.facts)
            yield Row(*address, "value", found.value, found.low, found.high, found.n)
            for kind, other in references(state, measured):
                theirs = measured[other].roles[role].correct[kept.items]
                gap = paired_gap(correct, theirs, kept.facts)
                yield Row(*address, kind, gap.value, gap.low, gap.high, found.n, gap.p_mcnemar)


def _perplexities(measured: "Mapping[State, Behaviour]") -> Iterator[Row]:
    for state, behaviour in measured.items():
        address = ("utility", "text", "perplexity", state.origin, state.format)
        yield Row(*address, "value", behaviour.perplexity)
        for kind, other in references(state, measured):
            yield Row(*address, kind, behaviour.perplexity - measured[other].perplexity)


def structure_rows(
    measured: "Mapping[State, Attribution]", circuit: Circuit, facts: list[str]
) -> Rows:
    """CAD, AS-C, AS-NC and M'/M of every state against its references.

    The gap of the original is the noise floor: what a format alone does to the attribution of a
    model that forgot nothing.

    Args:
        measured: Attributions by state.
        circuit: The run's circuit.
        facts: Each pair's fact, to resample by.
    """
    return Rows(_structure(measured, circuit, facts))


def _structure(
    measured: "Mapping[State, Attribution]", circuit: Circuit, facts: list[str]
) -> Iterator[Row]:
    for state, found in measured.items():
        for kind, other in references(state, measured):
            if kind == "gap" and state.origin != "original":
                continue  # nothing reads it, and it would cost as much as all the others
            before = measured[other]
            graph = before.scores.graph
            cad = circuit_divergence(before.scores, found.scores, circuit, facts)
            shift = activation_shift(before.differences, found.differences, graph, circuit, facts)
            estimates: list[tuple[str, str, Estimate]] = [
                ("circuit", "cad", cad.cad),
                ("circuit", "normalised_cad", cad.normalised),
                ("circuit", "activation_shift", shift.inside),
                ("outside", "activation_shift", shift.outside),
            ]
            where = (state.origin, state.format, kind)
            for view, metric, e in estimates:
                yield Row("forget", view, metric, *where, e.value, e.low, e.high, e.n)
            yield Row("forget", "circuit", "metric_ratio", *where, cad.metric_ratio)


def weight_rows(total: MatrixAccount, excluded: int, weights: int, state: State) -> Rows:
    """What the update did to the weights, and what a format keeps of it.

    Args:
        total: The account of all matrices.
        excluded: Updates that could not cross a boundary.
        weights: Number of weights of the model.
        state: The unlearned model in the format that the account is about.
    """
    values = {
        "changed": total.changed,
        "changed_fraction": total.changed / weights,
        "survival": total.survival,
        "collateral": total.collateral,
        "excluded": excluded,
        "ratio_median": total.ratio_median,
        "ratio_p05": total.ratio_p05,
        "ratio_p95": total.ratio_p95,
    }
    where = (state.origin, state.format, "value")
    return Rows(Row("weights", "changed", name, *where, value) for name, value in values.items())
