"""Lemma 1 and Proposition 2 on blocks with known codes, and on adversarial ones."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mansu.quant.codebook import BLOCK, NF4
from mansu.quant.permanence import account
from mansu.theory import cross
from mansu.unlearn.floor import apply_floor
from tests.quant.blocks import DTYPES, draw_weights


def block() -> torch.Tensor:
    """One block of scale 1: weight i < 16 lies on level i, the others on zero."""
    levels = NF4.levels()
    return torch.cat((levels, torch.zeros(BLOCK - NF4.size)))


def moved(index: int, by: float) -> tuple[dict, dict]:
    before, after = block(), block()
    after[index] += by
    return {"w": before}, {"w": after}


def draw_update(data: st.DataObject, before: torch.Tensor) -> torch.Tensor:
    """Updates of every size around a bin, in both directions, and some of none."""
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 2**32), label="update"))
    sizes = torch.tensor([0.0, 0.1, 0.5, 0.999999, 1.0, 1.000001, 1.5, 3.0, -0.3, -1.0, -2.0])
    chosen = sizes[torch.randint(len(sizes), before.shape, generator=generator)]
    after = before.double() + chosen.double() * NF4.bin_widths(before).double()
    limit = torch.finfo(before.dtype).max
    return after.clamp(-limit, limit).to(before.dtype)


def test_an_update_of_a_bin_inward_crosses():
    width = NF4.width(torch.tensor([5]), torch.ones(1)).item()
    found = cross(*moved(5, 1.01 * width), NF4)
    assert (found.changed, found.premise, found.crossed, found.exceptions) == (1, 1, 1, 0)


def test_an_update_smaller_than_its_bin_is_no_case_of_the_lemma():
    found = cross(*moved(5, 1e-4), NF4)
    assert (found.changed, found.premise, found.crossed) == (1, 0, 0)


def test_an_outermost_weight_pushed_outward_is_an_exception_with_its_reason():
    before = torch.cat((torch.tensor([-1.0, 0.9]), torch.zeros(62)))
    after = before.clone()
    after[1] += 0.5  # code 15, upward: no boundary ahead
    found = cross({"w": before}, {"w": after}, NF4)
    assert (found.premise, found.exceptions, found.outward, found.unexplained) == (1, 1, 1, 0)


def test_a_scale_that_moves_along_is_an_exception_with_its_reason():
    before = block()
    found = cross({"w": before}, {"w": 2 * before}, NF4)
    assert found.exceptions == found.outward + found.moved > 0
    assert found.moved > 0
    assert found.unexplained == 0


@given(st.data(), st.sampled_from(DTYPES))
@settings(max_examples=120, deadline=None)
def test_every_exception_on_adversarial_blocks_has_a_reason(data, dtype):
    before = draw_weights(data, dtype)
    found = cross({"w": before}, {"w": draw_update(data, before)}, NF4)
    assert found.unexplained == 0
    reasons = found.outward + found.moved + found.rounding
    assert found.premise == found.crossed + reasons <= found.changed


@given(st.data(), st.sampled_from(["boundary", "in_loop"]))
@settings(max_examples=60, deadline=None)
def test_the_exact_floors_leave_the_lemma_no_exception(data, kind):
    before = draw_weights(data)
    after = apply_floor(kind, before, draw_update(data, before), NF4).weight
    found = cross({"w": before}, {"w": after}, NF4)
    assert found.exceptions == 0
    assert sum(group.weights for group in found.groups) == found.changed
    assert all(group.boundaries > 0 for group in found.groups)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_the_groups_are_those_of_the_account(data):
    before = draw_weights(data)
    pair = {"w": before}, {"w": draw_update(data, before)}
    counts = account(*pair, NF4).total.crossings
    found = {group.boundaries: group.weights for group in cross(*pair, NF4).groups}
    assert found == {n: count for n, count in enumerate(counts) if count}


def test_the_amplification_of_known_moves_is_known():
    levels, middles = NF4.levels(), NF4.boundaries()
    before, after = block(), block()
    after[5] = middles[5] + 1e-4  # just over one boundary: quantized it goes to the next level
    after[8] = levels[10]  # from level to level over two: Q changes nothing
    found = cross({"w": before}, {"w": after}, NF4)
    one, two = found.groups
    expected = ((levels[6] - levels[5]) / (after[5] - levels[5])).item()
    assert (one.boundaries, one.weights, one.amplified) == (1, 1, 1.0)
    assert one.mean == one.median == pytest.approx(expected, rel=1e-5)
    assert one.ratio_of_means == pytest.approx(expected, rel=1e-5)
    assert (two.boundaries, two.amplified) == (2, 1.0)
    assert two.ratio_of_means == pytest.approx(1, rel=1e-6)


def test_an_update_of_nothing_has_nothing_to_show():
    found = cross({"w": block()}, {"w": block()}, NF4)
    assert (found.changed, found.premise, found.exceptions, found.groups) == (0, 0, 0, ())
