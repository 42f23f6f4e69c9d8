"""The claims in words: each verdict follows from the numbers, and failure is said."""

from dataclasses import replace

from made_up import Made

from mansu.lab import charts
from mansu.lab.theme import to_spec
from mansu.study.readings import claims
from mansu.study.stages.guarantees import Guarantees
from mansu.theory import Crossings


def told(found: Guarantees) -> dict[str, bool | None]:
    """Every claim's verdict by its name."""
    lists = (claims.bin_claims, claims.retain_claims, claims.fisher_claims)
    return {claim.name: claim.holds for make in lists for claim in make(found)}


def starting(verdicts: dict[str, bool | None], words: str) -> list[bool | None]:
    return [holds for name, holds in verdicts.items() if name.startswith(words)]


def test_what_the_numbers_bear_out_is_said_to_hold(made: Made) -> None:
    verdicts = told(made.guarantees)
    assert starting(verdicts, "Proposition 1") == [True]
    assert starting(verdicts, "Theorem 1") == [True, True, True]
    assert starting(verdicts, "Proposition 3") == [False, False]


def test_a_cost_above_its_bound_is_said_not_to_hold(made: Made) -> None:
    found = made.guarantees
    cost = replace(found.after.cost, loss_after=9.0)
    found = replace(found, after=replace(found.after, cost=cost))
    assert starting(told(found), "Theorem 1, the retain bound") == [True, False]
    text = claims.markdown(claims.retain_claims(found))
    assert "does not hold on this run: the retain loss changed by +8 nats" in text


def test_a_bound_too_loose_to_say_anything_is_said_to_be(made: Made) -> None:
    loose = "A bound above the loss itself"
    assert loose in claims.markdown(claims.retain_claims(made.guarantees))  # 1.5 against 1.0
    cost = replace(made.guarantees.after.cost, delta_norm=0.1)
    update = replace(made.guarantees.after, cost=cost)
    tight = replace(made.guarantees, before=update, after=update)
    assert loose not in claims.markdown(claims.retain_claims(tight))


def test_a_circuit_sharper_than_the_model_is_said_not_to_interlace(made: Made) -> None:
    found = replace(made.guarantees, circuit=made.guarantees.whole, whole=made.guarantees.circuit)
    assert starting(told(found), "Theorem 1, each term") == [False]


def test_a_whole_model_that_reaches_the_bins_contradicts_proposition_1(made: Made) -> None:
    caps = [replace(cap, fisher=1e-12) for cap in made.guarantees.caps]
    assert starting(told(replace(made.guarantees, caps=tuple(caps))), "Proposition 1") == [False]


def test_an_exception_to_lemma_1_is_told_with_its_reason(made: Made) -> None:
    crossings = Crossings(9, 8, 5, outward=2, moved=1, rounding=0, unexplained=0, groups=())
    found = replace(made.guarantees, after=replace(made.guarantees.after, crossings=crossings))
    lemma = next(c for c in claims.bin_claims(found) if c.name == "Lemma 1 after the floor")
    assert lemma.holds is False
    assert "2 outermost codes pushed outward, 1 of blocks whose scale moved" in lemma.reason
    assert "it has no exception" in lemma.reason


def test_nothing_to_check_is_neither_true_nor_false(made: Made) -> None:
    crossings = Crossings(0, 0, 0, 0, 0, 0, 0, ())
    cost = replace(made.guarantees.after.cost, delta_norm=0.0)
    update = replace(made.guarantees.after, crossings=crossings, cost=cost)
    found = replace(made.guarantees, before=update, after=update)
    assert starting(told(found), "Lemma 1") == [None]
    assert starting(told(found), "Proposition 2") == [None, None]
    assert "moved nothing" in claims.floor_effect(found)
    assert "Nothing changed." in to_spec(charts.amplification(found))["title"]["subtitle"]


def test_the_floor_is_said_to_raise_the_bound_it_raises(made: Made) -> None:
    assert "raises the retain bound" in claims.floor_effect(made.guarantees)
    turned = replace(made.guarantees, before=made.guarantees.after, after=made.guarantees.before)
    assert "lowers the retain bound" in claims.floor_effect(turned)


def test_a_falling_retain_loss_is_told_though_a_log_axis_cannot_show_it(made: Made) -> None:
    cost = replace(made.guarantees.after.cost, loss_after=0.75)
    found = replace(made.guarantees, after=replace(made.guarantees.after, cost=cost))
    notes = " ".join(to_spec(charts.retain_bound(found))["title"]["subtitle"])
    assert "measured after the floor is -0.25" in notes
