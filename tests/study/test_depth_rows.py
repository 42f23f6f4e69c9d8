"""Rows of depth, from drops that are known: changes, noise floor, values, and facts left out."""

import pytest
import torch

from mansu.study.rows import depth_rows
from mansu.study.scorecard import Rows
from mansu.study.stages.depth import Carried, Layers, reference_of
from mansu.study.state import State

FORMS = ("fp", "nf4")
FACTS = ["a", "b", "c"]
# The last fact is carried nowhere.
CARRIED = Carried(
    torch.tensor([[1.0, 3.0], [1.0, 9.0], [0.0, 0.0]]), most=torch.tensor([2.0, 3.0, 2.0])
)


def layers(share: float, ranks: list[list[int]]) -> Layers:
    return Layers(CARRIED, share * CARRIED.drops, torch.tensor(ranks, dtype=torch.bool))


@pytest.fixture
def rows() -> Rows:
    whole = [[1, 1], [1, 1], [1, 0]]
    return depth_rows(
        {
            State("original", "fp"): layers(0.0, whole),
            State("original", "nf4"): layers(0.1, [[1, 1], [1, 1], [0, 0]]),
            State("unlearned", "fp"): layers(0.5, [[1, 0], [1, 0], [1, 0]]),
            State("unlearned", "nf4"): layers(0.8, [[1, 1], [0, 0], [0, 0]]),
        },
        FACTS,
    )


def test_every_state_is_compared_with_the_original_in_its_own_format(rows: Rows) -> None:
    found = {(str(r.state), r.kind): r.value for r in rows.where(metric="unlearning_depth")}
    assert found == {
        ("original-nf4", "gap"): pytest.approx(0.1),
        ("unlearned-fp", "change"): pytest.approx(0.5),
        ("unlearned-nf4", "change"): pytest.approx(0.8),
    }
    row = rows.at("forget", "depth", "unlearning_depth", State("unlearned", "fp"), "change")
    assert (row.n, row.low, row.high) == (2, pytest.approx(0.5), pytest.approx(0.5))


def test_a_capped_drop_ends_where_knowing_the_form_alone_does(rows: Rows) -> None:
    row = rows.at("forget", "depth", "capped_depth", State("unlearned", "fp"), "change")
    # a: (0.5 + 1.5) of (1 + 2); b: (0.5 + 3, of 4.5) of (1 + 3).
    assert row.value == pytest.approx((2.0 / 3 + 3.5 / 4) / 2)


def test_lens_depth_has_values_changes_and_a_noise_floor(rows: Rows) -> None:
    found = {(str(r.state), r.kind): r.value for r in rows.where(metric="lens_depth")}
    assert found == {
        ("original-fp", "value"): pytest.approx(5 / 6),
        ("original-nf4", "value"): pytest.approx(4 / 6),
        ("original-nf4", "gap"): pytest.approx(-1 / 6),
        ("unlearned-fp", "value"): pytest.approx(3 / 6),
        ("unlearned-fp", "change"): pytest.approx(-2 / 6),
        ("unlearned-nf4", "value"): pytest.approx(2 / 6),
        ("unlearned-nf4", "change"): pytest.approx(-2 / 6),
    }


def test_facts_that_no_layer_carries_are_counted(rows: Rows) -> None:
    assert {r.value for r in rows.where(metric="uncarried_facts")} == {1}


def test_where_no_fact_is_carried_there_is_no_depth() -> None:
    nothing = Carried(torch.zeros(3, 2), torch.ones(3))
    found = Layers(nothing, torch.ones(3, 2), torch.ones(3, 2, dtype=torch.bool))
    rows = depth_rows({State(o, "fp"): found for o in ("original", "unlearned")}, FACTS)
    row = rows.at("forget", "depth", "unlearning_depth", State("unlearned", "fp"), "change")
    assert (row.value, row.low, row.n) == (None, None, 0)
    assert rows.where(metric="uncarried_facts")[0].value == 3


@pytest.mark.parametrize("form", FORMS)
def test_the_reference_is_the_original_as_deployed_and_its_own_is_full_precision(form: str) -> None:
    assert reference_of(State("unlearned", form)) == State("original", form)
    assert reference_of(State("original", form)) == State("original", "fp")
