"""Notebook 0's lessons: which option is right is decided by the numbers."""

import numpy as np
import pandas as pd
import pytest
import torch

from mansu.lab import lessons
from mansu.lab.theme import to_spec
from mansu.metrics.mcq import McqScores
from mansu.quant.codebook import NF4
from mansu.quant.permanence import account, to_frame
from mansu.study.stages.measure import Behaviour
from tests.study.made_up import answers, behaviour

ITEMS = 200


def scores(accuracy: float) -> McqScores:
    """Exactly this share right, spread over the facts."""
    order = np.random.default_rng(0).permutation(ITEMS)
    correct = order < round(accuracy * ITEMS)
    facts = tuple(f"f{i % 50}" for i in range(ITEMS))
    return answers(correct, facts, "t")


def model(
    forget: tuple[float, float], retain: tuple[float, float] = (0.9, 0.9)
) -> dict[str, Behaviour]:
    parts = [
        behaviour({"forget_seen": scores(f), "retain": scores(r)})
        for f, r in zip(forget, retain, strict=True)
    ]
    return dict(zip(("fp", "nf4"), parts, strict=True))


ORIGINAL = model((0.9, 0.8))


def right(lesson: lessons.Lesson) -> int:
    assert 0 <= lesson.right < len(lesson.options)
    assert to_spec(lesson.chart)["title"]["text"]
    return lesson.right


@pytest.mark.parametrize(
    ("forget", "expected"),
    [((0.3, 0.25), 0), ((0.3, 0.3), 0), ((0.3, 0.5), 1), ((0.3, 0.79), 2)],
)
def test_what_comes_back_is_read_from_the_gap(forget, expected):
    lesson = lessons.comeback({"original": ORIGINAL, "NPO": model(forget)}, 0.25)
    assert right(lesson) == expected
    assert f"{forget[1]:.1%} in NF4" in lesson.why
    assert "The scorecard allows +2 pp at most." in lesson.why


@pytest.mark.parametrize(("forget", "expected"), [(0.25, 0), (0.5, 1), (0.8, 2)])
def test_how_much_was_forgotten_is_the_way_to_chance(forget, expected):
    models = {"original": ORIGINAL, "NPO": model((forget, forget))}
    assert right(lessons.depth(models, 0.25)) == expected


@pytest.mark.parametrize(("retain", "expected"), [(0.9, 0), (0.85, 1), (0.6, 2)])
def test_the_price_is_what_the_retain_set_lost(retain, expected):
    models = {"original": ORIGINAL, "MANSU": model((0.3, 0.3), (retain, retain))}
    assert right(lessons.price(models, 0.25)) == expected


@pytest.mark.parametrize(
    ("forget", "retain", "expected"),
    [
        ((0.3, 0.3), (0.9, 0.9), 0),
        ((0.3, 0.3), (0.9, 0.8), 1),
        ((0.3, 0.7), (0.9, 0.9), 2),
        ((0.8, 0.3), (0.9, 0.9), 2),
    ],
)
def test_forgetting_counts_in_both_precisions_and_so_does_keeping(forget, retain, expected):
    models = {"original": ORIGINAL, "MANSU": model(forget, retain)}
    lesson = lessons.both(models, {"MANSU": accounts(2.0)}, 0.25)
    assert right(lesson) == expected
    assert lesson.table is not None
    assert lesson.table["model"].tolist() == ["original", "MANSU"]


def accounts(step: float, share: float = 1.0) -> pd.DataFrame:
    weight = torch.randn(64, 64, generator=torch.Generator().manual_seed(0))
    moved = torch.rand(64, 64, generator=torch.Generator().manual_seed(1)) < share
    name = "model.layers.1.mlp.up_proj.weight"
    return to_frame(account({name: weight}, {name: weight + step * moved}, NF4))


@pytest.mark.parametrize(("step", "expected"), [(2.0, 0), (0.05, 1), (1e-4, 2)])
def test_the_share_that_changes_its_code_is_the_first_model_s(step, expected):
    lesson = lessons.crossing({"gradient ascent": accounts(step), "MANSU": accounts(0.3, 0.01)})
    assert right(lesson) == expected
    spec = str(to_spec(lesson.chart))
    assert "gradient ascent: " in spec
    assert "MANSU: " in spec


def test_a_model_that_changed_nothing_can_be_shown():
    lesson = lessons.crossing({"NPO": accounts(0.0)})
    assert right(lesson) == 2


def test_the_summary_has_a_line_a_model_and_nothing_to_compare_for_the_original():
    models = {"original": ORIGINAL, "MANSU": model((0.3, 0.35), (0.9, 0.88))}
    found = lessons.summary(models, {"MANSU": accounts(2.0)})
    assert found["forget NF4"].tolist() == ["80.0%", "35.0%"]
    assert found["retain change NF4 (pp)"].tolist()[0] == "–"
    assert found["retain change NF4 (pp)"].tolist()[1].startswith("-2.0 [")
    assert found["with another code"].tolist()[1].endswith("%")


def test_every_option_is_offered_once():
    models = {"original": ORIGINAL, "MANSU": model((0.3, 0.3))}
    asked = [f(models, 0.25) for f in (lessons.comeback, lessons.depth, lessons.price)]
    for lesson in (*asked, lessons.both(models, {}, 0.25)):
        assert len(set(lesson.options)) == len(lesson.options) == 3


def test_the_price_is_shown_in_full_precision_alone_because_nf4_is_asked_next():
    models = {"original": ORIGINAL, "NPO": model((0.3, 0.3))}
    for lesson, shown in ((lessons.price, {0}), (lessons.comeback, {0, 1})):
        sets = to_spec(lesson(models, 0.25).chart)["datasets"].values()
        places = {round(row["x"]) for rows in sets for row in rows if "x" in row}
        assert places == shown


def test_a_model_that_knew_nothing_forgot_nothing():
    ignorant = model((0.25, 0.25))
    assert lessons.depth({"original": ignorant, "NPO": ignorant}, 0.25).right == 2
