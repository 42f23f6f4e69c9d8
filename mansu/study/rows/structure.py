"""Rows on the circuit: what is left of the original's attribution, and of its activations."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from mansu.circuit import Circuit
from mansu.metrics.divergence import activation_shift, circuit_divergence
from mansu.metrics.significance import Estimate
from mansu.study.rows.kept import references
from mansu.study.scorecard import Row, Rows
from mansu.study.state import State

if TYPE_CHECKING:  # the stages' last one makes rows of what these hold
    from mansu.study.stages.attribute import Attribution


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
            if shift.ratio is not None:
                estimates.append(("circuit", "shift_ratio", shift.ratio))
            where = (state.origin, state.format, kind)
            for view, metric, e in estimates:
                yield Row("forget", view, metric, *where, e.value, e.low, e.high, e.n)
            yield Row("forget", "circuit", "metric_ratio", *where, cad.metric_ratio)
            yield Row("forget", "circuit", "mass_ratio", *where, cad.mass_ratio)
