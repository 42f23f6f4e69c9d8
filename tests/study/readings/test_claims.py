"""The claims in words: each verdict follows from the numbers, and failure is said."""

from dataclasses import replace

import pytest
import torch

from mansu.study.readings import claims
from mansu.study.stages.guarantees import Guarantees
from mansu.theory import Crossings
from tests.study import made_up


@pytest.fixture(scope="module")
def made() -> Guarantees:
    """Claims on a made-up update of a matrix."""
    weight = torch.randn(64, 32, generator=torch.Generator().manual_seed(0))
    return made_up.guarantees({"up": weight}, {"up": weight + 0.1 * (weight > 1)})


def told(found: Guarantees) -> dict[str, bool | None]:
    """Every claim's verdict by its name."""
    lists = (claims.bin_claims, claims.retain_claims, claims.fisher_claims)
    return {claim.name: claim.holds for make in lists for claim in make(found)}


def starting(verdicts: dict[str, bool | None], words: str) -> list[bool | None]:
    return [holds for name, holds in verdicts.items() if name.startswith(words)]


def test_what_the_numbers_bear_out_is_said_to_hold(made: Guarantees) -> None:
    verdicts = told(made)
    assert starting(verdicts, "Proposition 1") == [True]
    assert starting(verdicts, "Theorem 1") == [True, True, True]
    assert starting(verdicts, "Proposition 3") == [False, False]


def test_a_cost_above_its_bound_is_said_not_to_hold(made: Guarantees) -> None:
    found = made
    cost = replace(found.after.cost, loss_after=9.0)
    found = replace(found, after=replace(found.after, cost=cost))
    assert starting(told(found), "Theorem 1, the retain bound") == [True, False]
    text = claims.markdown(claims.retain_claims(found))
    assert "does not hold on this run: the retain loss changed by +8 nats" in text


def test_a_bound_too_loose_to_say_anything_is_said_to_be(made: Guarantees) -> None:
    loose = "A bound above the loss itself"
    assert loose in claims.markdown(claims.retain_claims(made))  # 1.5 against 1.0
    cost = replace(made.after.cost, delta_norm=0.1)
    update = replace(made.after, cost=cost)
    tight = replace(made, before=update, after=update)
    assert loose not in claims.markdown(claims.retain_claims(tight))


def test_a_circuit_sharper_than_the_model_is_said_not_to_interlace(made: Guarantees) -> None:
    found = replace(made, circuit=made.whole, whole=made.circuit)
    assert starting(told(found), "Theorem 1, each term") == [False]


def test_a_whole_model_that_reaches_the_bins_contradicts_proposition_1(made: Guarantees) -> None:
    caps = [replace(cap, fisher=1e-12) for cap in made.caps]
    assert starting(told(replace(made, caps=tuple(caps))), "Proposition 1") == [False]


def test_an_exception_to_lemma_1_is_told_with_its_reason(made: Guarantees) -> None:
    crossings = Crossings(9, 8, 5, outward=2, moved=1, rounding=0, unexplained=0, groups=())
    found = replace(made, after=replace(made.after, crossings=crossings))
    lemma = next(c for c in claims.bin_claims(found) if c.name == "Lemma 1 after the floor")
    assert lemma.holds is False
    assert "2 outermost codes pushed outward, 1 of blocks whose scale moved" in lemma.reason
    assert "it has no exception" in lemma.reason


def test_nothing_to_check_is_neither_true_nor_false(made: Guarantees) -> None:
    crossings = Crossings(0, 0, 0, 0, 0, 0, 0, ())
    cost = replace(made.after.cost, delta_norm=0.0)
    update = replace(made.after, crossings=crossings, cost=cost)
    found = replace(made, before=update, after=update)
    assert starting(told(found), "Lemma 1") == [None]
    assert starting(told(found), "Proposition 2") == [None, None]
    assert "moved nothing" in claims.floor_effect(found)


def test_the_floor_is_said_to_raise_the_bound_it_raises(made: Guarantees) -> None:
    assert "raises the retain bound" in claims.floor_effect(made)
    turned = replace(made, before=made.after, after=made.before)
    assert "lowers the retain bound" in claims.floor_effect(turned)
