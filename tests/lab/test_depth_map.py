"""The map of depth: which facts it draws, in which order, and what it says of the others."""

import struct
from dataclasses import replace

import pytest
import torch
import vl_convert

from mansu.lab import charts
from mansu.lab.charts.depth import ROWS
from mansu.lab.theme import to_spec
from mansu.study.stages.depth import Carried, Layers
from tests.lab.made_up import MARKUP, UNLEARNED, UNLEARNED_NF4, Made, make_layers


def drawn(made: Made, found: Layers, facts: list[str]) -> dict:
    return to_spec(charts.depth_map(found, facts, made.facts, made.circuit, UNLEARNED))


def lines(spec: dict, column: str) -> list[dict]:
    return next((d for d in spec["datasets"].values() if d and column in d[0]), [])


def notes(spec: dict) -> str:
    return " ".join(spec["title"]["subtitle"])


def graded(facts: int, layers: int = 4) -> Layers:
    """Each fact forgotten somewhat further than the one before; the first layer carries none."""
    drops = torch.ones(facts, layers)
    drops[:, 0] = 0
    share = torch.linspace(0, 1, facts)[:, None]
    ranks = torch.ones(facts, layers, dtype=torch.bool)
    return Layers(Carried(drops, torch.ones(facts)), share * drops, ranks)


@pytest.mark.parametrize("layers", [4, 30])
def test_it_fits_a_notebook_whatever_the_model(made: Made, layers: int) -> None:
    facts = [f"f{i}" for i in range(50)]
    spec = drawn(made, graded(50, layers), facts)
    width, height = struct.unpack(">II", vl_convert.vegalite_to_png(spec, scale=1)[16:24])
    assert 600 <= width <= 860
    assert 150 <= height <= 700


def test_facts_stand_from_the_least_forgotten_to_the_most(made: Made) -> None:
    spec = drawn(made, graded(5), [f"f{i}" for i in (3, 1, 4, 0, 2)])
    beside = lines(spec, "depth")
    assert [line["depth"] for line in beside] == pytest.approx([0, 0.25, 0.5, 0.75, 1])
    assert [line["fact"].split(" → ")[0][-1] for line in beside] == list("31402")
    assert "5 facts from the least forgotten" in notes(spec)


def test_layers_that_do_not_carry_a_fact_are_blank(made: Made) -> None:
    cells = lines(drawn(made, graded(3), ["f0", "f1", "f2"]), "score")
    assert {cell["layer"] for cell in cells} == {1, 2, 3}
    assert all(0 <= cell["score"] <= 1 for cell in cells)


def test_of_many_facts_some_are_drawn_from_all_over_and_it_says_how_many(made: Made) -> None:
    spec = drawn(made, graded(48), [f"f{i}" for i in range(48)])
    depths = [line["depth"] for line in lines(spec, "depth")]
    assert len(depths) == ROWS
    assert (depths[0], depths[-1]) == (0, 1)
    assert f"{ROWS} of 48 facts, evenly from the least forgotten to the most" in notes(spec)


def test_facts_that_no_layer_carries_are_named_by_their_number(made: Made) -> None:
    found = graded(4)
    found.carried.drops[:2] = 0
    spec = drawn(made, found, ["f0", "f1", "f2", "f3"])
    assert len(lines(spec, "depth")) == 2
    assert "2 that no layer carries are left out" in notes(spec)
    found.carried.drops[:] = 0
    spec = drawn(made, found, ["f0", "f1", "f2", "f3"])
    assert lines(spec, "depth") == []
    assert "No layer carries any of the 4 facts." in notes(spec)
    vl_convert.vegalite_to_png(spec, scale=1)


def test_two_facts_of_the_same_words_keep_a_row_each(made: Made) -> None:
    first, second, *_ = made.facts.facts
    same = replace(first, id=second.id)
    facts = replace(made.facts, facts=(first, same))
    chart = charts.depth_map(graded(2), [first.id, same.id], facts, made.circuit, UNLEARNED)
    beside = lines(to_spec(chart), "depth")
    assert len({line["fact"] for line in beside}) == 2


def test_the_facts_words_are_text_and_the_format_is_named(made: Made) -> None:
    chart = charts.depth_map(
        make_layers(2, 3, 0.5), ["f0", "f2"], made.facts, made.circuit, UNLEARNED_NF4
    )
    spec = to_spec(chart)
    assert "NF4" in str(spec["title"]["text"])
    assert MARKUP in lines(spec, "depth")[0]["fact"]
    assert "<script>" not in vl_convert.vegalite_to_svg(spec)
