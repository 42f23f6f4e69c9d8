"""The scorecard's rows of depth: how far up the layers a forgotten fact is gone."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from mansu.metrics.depth import unlearning_depth
from mansu.metrics.significance import accuracy_interval, paired_gap
from mansu.study.rows.kept import references
from mansu.study.scorecard import Row, Rows
from mansu.study.state import State

if TYPE_CHECKING:
    from mansu.study.stages.depth import Layers


def depth_rows(measured: "Mapping[State, Layers]", facts: list[str]) -> Rows:
    """Unlearning depth, plain and capped, and lens depth of every state.

    The ``change`` is against the original in the same format; the ``gap`` of the original is the
    noise floor, what a format alone does to a model that forgot nothing. Lens depth also has its
    ``value``. ``uncarried_facts`` counts those that no layer carries: they have no depth.

    Args:
        measured: What the layers hold, by state.
        facts: Each pair's fact, to resample by.
    """
    return Rows(_rows(measured, facts))


def _rows(measured: "Mapping[State, Layers]", facts: list[str]) -> Iterator[Row]:
    for state, found in measured.items():
        share = found.ranks.double().mean(1).numpy()  # [pairs]
        where = ("forget", "depth", "lens_depth", state.origin, state.format)
        lens = accuracy_interval(share, facts)
        yield Row(*where, "value", lens.value, lens.low, lens.high, lens.n)
        for kind, other in references(state, measured):
            if kind == "gap" and state.origin != "original":
                continue  # as with CAD: nothing reads it
            moved = paired_gap(share, measured[other].ranks.double().mean(1).numpy(), facts)
            yield Row(*where, kind, moved.value, moved.low, moved.high, lens.n)
            here = (state.origin, state.format, kind)
            for metric, most in (("unlearning_depth", None), ("capped_depth", found.carried.most)):
                depth = unlearning_depth(found.carried.drops, found.drops, facts, most)
                ends = (None, None, None, 0)
                if (mean := depth.mean) is not None:
                    ends = (mean.value, mean.low, mean.high, mean.n)
                yield Row("forget", "depth", metric, *here, *ends)
                if most is None:
                    yield Row("forget", "depth", "uncarried_facts", *here, depth.left_out)
