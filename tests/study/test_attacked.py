"""What attacks found, as rows: the worst setting counts, beside its controls."""

import dataclasses

import numpy as np
import pytest

from mansu.attacks import Answers, Attack
from mansu.attacks.base import Relearning
from mansu.metrics.significance import accuracy_interval
from mansu.study.attacked import attack_notes, attack_rows, attack_table, tuned, worst_of
from mansu.study.card_text import scorecard_table
from mansu.study.relearned import relearning_rows
from mansu.study.scorecard import Rows
from mansu.study.stages.attack import Results
from mansu.study.state import State
from tests.study import made_up
from tests.study.test_relearned import attacks, card_rows

FACTS = 40


def answers(setting: str, accuracy: float, name: str = "f") -> Answers:
    right = np.arange(FACTS) < round(accuracy * FACTS)
    facts = tuple(f"{name}{i}" for i in range(FACTS))
    return Answers(setting, made_up.answers(right, facts, "t"), level=0.25)


def struck(control: bool = True, **accuracies: float) -> dict:
    """An attack's settings in both formats, by the unlearned model's accuracy at each."""
    origins = {
        "unlearned": tuple(answers(name, value) for name, value in accuracies.items()),
        "original": tuple(answers(name, 0.95) for name in accuracies),
    }
    if control:
        origins["control"] = tuple(
            answers(name, 0.1 * (n + 1), "w") for n, name in enumerate(accuracies)
        )
    return dict.fromkeys(("fp", "nf4"), origins)


def plug(*settings: str) -> Attack:
    return Attack("prompts", "prompts", lambda *_: answers("", 0.0), settings)


def shouted(control: bool = True) -> Rows:
    found = struck(control, quiet=0.4, loud=0.7, shrill=0.5)
    return attack_rows(plug("quiet", "loud", "shrill", "french"), found)


def test_the_worst_is_the_largest_of_its_settings_and_names_the_one() -> None:
    rows = shouted()
    for form, worst in zip(("fp", "nf4"), worst_of(rows), strict=True):
        assert (worst.attack, worst.row.format, worst.setting) == ("prompts", form, "loud")
        assert worst.row.value == pytest.approx(0.7)
        tried = rows.where(metric="attacked_accuracy", origin="unlearned", format=form)
        assert worst.row.value == max(row.value or 0.0 for row in tried)
        assert worst.original == pytest.approx(0.95)
        assert worst.control == pytest.approx(0.2)  # at the same setting


def test_its_interval_is_that_of_the_largest_on_each_draw() -> None:
    one, other = answers("a", 0.5), answers("b", 0.5)
    turned = dataclasses.replace(other.scores, correct=other.scores.correct[::-1].copy())
    other = dataclasses.replace(other, scores=turned)
    found: Results = {"fp": {"unlearned": (one, other), "original": (one, other)}}
    (worst, *_) = worst_of(attack_rows(plug("a", "b"), found))
    alone = accuracy_interval(one.scores.correct, one.scores.facts)
    assert worst.row.value == 0.5
    # On every draw one of the two is at least as good as half.
    assert worst.row.low is not None
    assert worst.row.low >= 0.5 > alone.low
    assert worst.row.high == pytest.approx(alone.high, abs=0.05)


def test_without_a_twin_the_level_stands_beside_the_worst() -> None:
    rows = shouted(control=False)
    assert {worst.control for worst in worst_of(rows)} == {0.25}
    place = ("forget", "prompts/loud, never-knew", "level", State("original", "fp"), "value")
    assert rows.at(*place).value == 0.25


def test_every_setting_of_every_model_has_its_row_and_is_no_state_of_its_own() -> None:
    rows = shouted()
    for view, origin in (
        ("prompts/quiet", "unlearned"),
        ("prompts/quiet", "original"),
        ("prompts/quiet, never-knew", "original"),
    ):
        row = rows.at("forget", view, "attacked_accuracy", State(origin, "nf4"), "value")
        assert None not in (row.value, row.low, row.high, row.n)
    assert set(rows.origins) == {"unlearned", "original"}


def test_what_a_set_does_not_give_is_said_with_the_reason() -> None:
    rows = shouted()
    missing = rows.where(view="prompts/french")
    assert [row.value for row in missing] == [None, None]
    assert attack_notes(rows) == ["prompts: not tried: french (the set's file gives none)."]
    assert attack_notes(relearning_rows(attacks())) == []


def test_an_attack_that_fine_tunes_is_read_at_the_setting_with_the_largest_share() -> None:
    found = attacks()
    assert all(isinstance(a, Relearning) for a in found["fp"]["unlearned"])
    lora = dataclasses.replace(plug("1"), name="relearn-lora")
    rows = Rows([*attack_rows(lora, found), *shouted()])
    first = worst_of(rows)[0]
    assert (first.attack, first.setting) == ("relearn-lora", "0.0005, as trained")
    assert first.row.value == pytest.approx(0.6)
    assert (first.original, first.control) == (pytest.approx(0.9), pytest.approx(0.4))
    assert first.share is not None
    assert first.share.value == pytest.approx(0.4)
    assert tuned(rows) == ("relearn-lora",)
    # Rule 5 goes on reading the one attack that it names.
    assert not rows.where(view="relearned")


def test_the_scorecard_has_a_section_of_all_attacks() -> None:
    rows = Rows([*card_rows(), *relearning_rows(attacks()), *shouted()])
    told = scorecard_table(made_up.scorecard(rows))
    lines = [line.split() for line in told.splitlines()]
    assert ["attack", "format", "worst", "at", "original", "never-knew"] in lines
    ours = [line for line in lines if line[:1] == ["prompts"]]
    assert [line[1:3] + line[-3:] for line in ours] == [
        ["FP", "0.700", "loud", "0.950", "0.200"],
        ["NF4", "0.700", "loud", "0.950", "0.200"],
    ]
    assert [line[0] for line in lines if line[:2] in (["relearn", "FP"], ["relearn", "NF4"])]
    assert "not tried: french" in told
    table = [[*line.values()] for line in attack_table(rows)]
    assert max(sum(map(len, line)) + 2 * len(line) for line in table) <= 80
