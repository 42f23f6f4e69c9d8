"""The scorecard as text."""

import copy

import pytest

from mansu.study.tables import scorecard_table, summary_table


def _role(base: float, now: float) -> dict:
    change = {"value": now - base, "ci": [now - base - 0.05, now - base + 0.05], "p": 0.01}
    card: dict = {}
    for precision in ("fp", "nf4"):
        card[precision] = {"acc": now, "n": 400, "ci": [now - 0.04, now + 0.04]}
        card[f"{precision}_base"] = {"acc": base, "n": 400, "ci": [base - 0.04, base + 0.04]}
        card[f"{precision}_change"] = change
    return card


def _divergence(value: float) -> dict:
    ends = [value - 0.1, value + 0.1]
    scale_free = {"normalised": value / 2, "normalised_ci": ends, "metric_ratio": 0.4}
    return {"value": value, "ci": ends, **scale_free}


@pytest.fixture
def card() -> dict:
    shift = {p: {"value": 0.5, "ci": [0.4, 0.6]} for p in ("fp", "nf4")}
    names = ("forget", "retain", "permanence", "structural")
    perplexity = {"fp": 20.5, "nf4": 22.5, "fp_base": 20.0, "nf4_base": 22.0}
    gap = {"value": -0.16, "ci": [-0.2, -0.1], "p": 0.01}
    return {
        "config": {
            "model": "tiny-llama",
            "forget": "elements",
            "retain": "capitals",
            "utility": "cities",
            "method": "mansu",
            "seed": 3,
            "circuit": "causal",
            "floor": "in_loop",
        },
        "circuit": [1, 3],
        "chance": 0.25,
        "forget": {**_role(0.94, 0.38), "held_out_templates": _role(0.8, 0.4)},
        "retain": _role(0.86, 0.85),
        "utility": {**_role(0.97, 0.96), "perplexity": perplexity},
        "ptq_gap": {**gap, "base": {"value": -0.07, "ci": [-0.1, -0.04], "p": 0.1}},
        "survival": 1.0,
        "collateral": 0,
        "changed_fraction": 0.0016,
        "changed": 216345,
        "excluded": 12,
        "update_to_bin": {"median": 1.02, "p05": 0.6, "p95": 2.1},
        "cad": {
            "fp": _divergence(0.55),
            "nf4": _divergence(0.87),
            "noise_floor": _divergence(0.12),
        },
        "as_c": shift,
        "as_nc": shift,
        "properties": dict.fromkeys(names, True) | {"structural": False},
        "rules": {name: f"the rule of {name} " * 6 for name in names},
        "reasons": {name: f"the reason of {name} " * 6 for name in names},
    }


def test_every_number_of_the_scorecard_stands_in_the_table(card: dict) -> None:
    text = scorecard_table(card)
    for number in (
        *("0.940", "0.380", "-0.560", "400", "[0.34,0.42]", "20.50", "+0.50"),
        *("-0.160", "-0.070", "216,345", "0.160%", "0.550", "0.870", "0.120", "0.400", "1.02"),
        *("chance 0.25", "1, 3", "seed 3"),
    ):
        assert number in text


@pytest.mark.parametrize("width", [80, 100, 140])
def test_no_line_is_wider_than_the_terminal(card: dict, width: int) -> None:
    assert max(map(len, scorecard_table(card, width).splitlines())) <= width


def test_a_property_that_fails_is_shown_as_failed_with_rule_and_reason(card: dict) -> None:
    text = scorecard_table(card)
    assert "✗ structural FAILS" in text
    assert text.count("holds") == 3
    for name in ("forget", "structural"):
        assert f"the rule of {name}" in text
        assert f"the reason of {name}" in text


def test_a_run_that_changed_nothing_has_no_survival(card: dict) -> None:
    empty = copy.deepcopy(card)
    empty["survival"] = None
    empty["update_to_bin"] = dict.fromkeys(("median", "p05", "p95"))
    empty["forget"]["held_out_templates"] = None
    text = scorecard_table(empty)
    assert "nothing changed" in text
    assert "no held-out prompt" in text


def test_columns_are_aligned(card: dict) -> None:
    lines = scorecard_table(card).splitlines()
    head = next(line for line in lines if line.startswith("accuracy"))
    rows = [line for line in lines if line.startswith(("forget ", "retain ", "utility "))]
    assert len(rows) == 3
    assert all(row[head.index("unlearned") - 1] == " " for row in rows)
    assert all(row[head.index("unlearned")].isdigit() for row in rows)


def test_several_runs_are_summed_up_in_a_line_each(card: dict) -> None:
    lines = summary_table([card, card]).splitlines()
    assert len(lines) == 4
    assert lines[2] == lines[3]
    assert lines[2].split().count("holds") == 3
    assert lines[2].split().count("FAILS") == 1
