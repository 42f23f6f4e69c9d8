"""The scorecard as text."""

import pytest

from mansu.study.card_text import scorecard_table
from mansu.study.rules import RULE_NAMES
from mansu.study.scorecard import Scorecard
from mansu.study.state import State
from mansu.study.table_files import to_text
from mansu.study.tables import find_table
from tests.study.made_up import (
    accuracies,
    divergences,
    in_states,
    perplexities,
    scorecard,
    weights,
)


def make_card(survival: float | None = 1.0, held_out: bool = True) -> Scorecard:
    """Numbers that can be told apart in the text."""
    seen = {
        State("original", "fp"): 0.94,
        State("original", "nf4"): 0.87,
        State("unlearned", "fp"): 0.38,
        State("unlearned", "nf4"): 0.22,
    }
    text = {
        State("original", "fp"): 20.0,
        State("original", "nf4"): 22.0,
        State("unlearned", "fp"): 20.5,
        State("unlearned", "nf4"): 22.5,
    }
    asked = accuracies("forget", "held-out", in_states(0.8, fp=0.4, nf4=0.4)) if held_out else ()
    return scorecard(
        [
            *accuracies("forget", "seen", seen, width=0.04),
            *asked,
            *accuracies("retain", "all", in_states(0.86, fp=0.85, nf4=0.85)),
            *accuracies("utility", "all", in_states(0.97, fp=0.96, nf4=0.96)),
            *perplexities(text),
            *divergences(
                {"fp": (0.55, 0.275), "nf4": (0.87, 0.435)},
                {"nf4": (0.12, 0.06)},
                {"fp": (0.5, 0.4), "nf4": (0.5, 0.4)},
            ),
            *weights(survival=survival),
        ],
        held_out,
    )


@pytest.fixture
def card() -> Scorecard:
    return make_card()


def test_every_number_of_the_scorecard_stands_in_the_table(card: Scorecard) -> None:
    text = scorecard_table(card)
    for number in (
        *("0.940", "0.380", "-0.560", "400", "[0.34,0.42]", "20.50", "+0.50"),
        *("-0.160", "-0.070", "216,345", "0.160%", "0.550", "0.870", "0.120", "0.450", "1.02"),
        *("chance 0.25", "1, 3", "seed 3"),
    ):
        assert number in text


@pytest.mark.parametrize("width", [80, 100, 140])
def test_no_line_is_wider_than_the_terminal(card: Scorecard, width: int) -> None:
    assert max(map(len, scorecard_table(card, width).splitlines())) <= width


def test_a_property_that_fails_is_shown_as_failed_with_rule_and_reason(card: Scorecard) -> None:
    text = scorecard_table(card)
    assert "✗ durable FAILS" in text
    assert text.count("✓") == len(RULE_NAMES) - 1
    assert "by the paper's own four properties: forget holds" in text
    for name in ("forgotten", "durable"):
        assert f"the rule of {name}" in text
        assert f"the reason of {name}" in text


def test_a_run_that_changed_nothing_has_no_survival() -> None:
    text = scorecard_table(make_card(survival=None, held_out=False))
    assert "nothing changed" in text
    assert "no held-out prompt" in text


def test_columns_are_aligned(card: Scorecard) -> None:
    lines = scorecard_table(card).splitlines()
    head = next(line for line in lines if line.startswith("accuracy"))
    rows = [line for line in lines if line.startswith(("forget ", "retain ", "utility "))]
    assert len(rows) == 3
    assert all(row[head.index("unlearned") - 1] == " " for row in rows)
    assert all(row[head.index("unlearned")].isdigit() for row in rows)


def test_several_runs_are_summed_up_in_a_line_each(card: Scorecard) -> None:
    table = find_table("summary")
    _, _, _, rule, *lines, note = to_text(table, table.build([card, card])).splitlines()
    assert set(rule) == {"-"}
    assert len(lines) == 2
    assert lines[0] == lines[1]
    assert lines[0].split()[-len(RULE_NAMES) :] == ["✓"] * (len(RULE_NAMES) - 1) + ["✗"]
    assert "forgotten" in lines[0]
    assert "✗ fails" in note
