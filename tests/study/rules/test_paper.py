"""The paper's four properties on made-up numbers: each holds, and fails, on its own ground."""

import dataclasses
from collections.abc import Mapping

import pytest

from mansu.study.rules import Case, paper_properties
from mansu.study.scorecard import Row, Rows, Verdict
from mansu.study.state import State
from tests.study.made_up import CHANCE, UNLEARNED, accuracies, divergences, in_states, weights

GOOD = {
    "seen": accuracies("forget", "seen", in_states(0.9, fp=0.3, nf4=0.3)),
    "held-out": accuracies("forget", "held-out", in_states(0.8, fp=0.4, nf4=0.4)),
    "retain": accuracies("retain", "all", in_states(0.8, fp=0.79, nf4=0.79)),
    "utility": accuracies("utility", "all", in_states(0.9, fp=0.9, nf4=0.88)),
}
CADS = {"fp": (0.6, 0.4), "nf4": (0.8, 0.5)}
FLOORS = {"nf4": (0.12, 0.12)}
SHIFTS = {"fp": (0.6, 0.2), "nf4": (0.6, 0.2)}


def judged(
    changed: Mapping[str, Rows | None] | None = None,
    cads: Mapping = CADS,
    floors: Mapping = FLOORS,
    shifts: Mapping = SHIFTS,
) -> dict[str, Verdict]:
    """The verdicts on good rows with some of them exchanged, or left out where None is given."""
    parts = {**GOOD, **(changed or {})}
    rows = [row for part in parts.values() for row in part or ()]
    rows = Rows([*rows, *divergences(cads, floors, shifts), *weights()])
    found = paper_properties(Case(rows, CHANCE, facts=100))
    return {verdict.name: verdict for verdict in found}


def role(base: float, fp: float, nf4: float, n: int = 400, width: float = 0.03) -> dict:
    return {"found": in_states(base, fp=fp, nf4=nf4), "n": n, "width": width}


def test_all_four_properties_hold_on_good_numbers():
    assert all(verdict.holds for verdict in judged().values())


@pytest.mark.parametrize(
    ("seen", "held_out", "holds"),
    [
        (role(0.9, 0.3, 0.3), role(0.8, 0.4, 0.4), True),
        (role(0.9, 0.57, 0.3), role(0.8, 0.4, 0.4), True),
        (role(0.9, 0.58, 0.3), role(0.8, 0.4, 0.4), False),
        (role(0.9, 0.3, 0.3), role(0.8, 0.7, 0.7), False),
        (role(0.9, 0.3, 0.3, width=0.7), role(0.8, 0.4, 0.4), False),
        (role(0.9, 0.3, 0.3), None, True),
        (role(0.25, 0.25, 0.25), None, False),
    ],
)
def test_forgetting_is_half_of_the_way_to_chance_on_both_kinds_of_templates(seen, held_out, holds):
    changed = {
        "seen": accuracies("forget", "seen", **seen),
        "held-out": accuracies("forget", "held-out", **held_out) if held_out else None,
    }
    assert judged(changed)["forget"].holds is holds


def test_forgetting_on_seen_templates_only_is_called_suppression():
    held_out = accuracies("forget", "held-out", in_states(0.8, fp=0.75, nf4=0.75))
    assert "suppresses" in judged({"held-out": held_out})["forget"].reason


@pytest.mark.parametrize(
    ("retain", "utility", "holds"),
    [
        (role(0.8, 0.79, 0.79), role(0.9, 0.9, 0.88), True),
        (role(0.8, 0.77, 0.79), role(0.9, 0.9, 0.9), False),
        (role(0.8, 0.79, 0.77), role(0.9, 0.9, 0.9), False),
        (role(0.8, 0.79, 0.79), role(0.9, 0.9, 0.87), False),
        (role(0.8, 0.8, 0.8, n=299), role(0.9, 0.9, 0.9), False),
    ],
)
def test_retaining_is_within_two_points_everywhere_on_enough_items(retain, utility, holds):
    changed = {
        "retain": accuracies("retain", "all", **retain),
        "utility": accuracies("utility", "all", **utility),
    }
    assert judged(changed)["retain"].holds is holds


def with_gap(rows: Rows, value: float, width: float = 0.03, origin: str = UNLEARNED) -> Rows:
    """The same rows with another PTQ gap in them."""
    own = rows.at("forget", "seen", "accuracy", State(origin, "nf4"), "gap")
    gap = dataclasses.replace(own, value=value, low=value - width, high=value + width)
    return Rows(gap if row is own else row for row in rows)


@pytest.mark.parametrize(
    ("now", "gap", "holds"),
    [
        ({"fp": 0.3, "nf4": 0.3}, {"value": 0.0}, True),
        ({"fp": 0.3, "nf4": 0.3}, {"value": 0.03}, False),
        ({"fp": 0.3, "nf4": 0.3}, {"value": 0.02, "width": 0.09}, False),
        ({"fp": 0.3, "nf4": 0.8}, {"value": -0.1}, False),
    ],
)
def test_permanence_needs_a_small_gap_and_forgetting_in_the_format(now, gap, holds):
    seen = with_gap(accuracies("forget", "seen", in_states(0.9, **now)), **gap)
    assert judged({"seen": seen})["permanence"].holds is holds


def test_the_original_models_own_gap_stands_beside_the_verdict():
    seen = with_gap(GOOD["seen"], -0.081, origin="original")
    assert "-0.081" in judged({"seen": seen})["permanence"].reason


@pytest.mark.parametrize(
    ("change", "holds"),
    [
        ({}, True),
        ({"cads": CADS | {"fp": (0.45, 0.4)}}, False),
        ({"cads": CADS | {"nf4": (0.45, 0.4)}}, False),
        ({"cads": CADS | {"fp": (0.9, 0.1)}}, False),
        ({"floors": {"nf4": (0.6, 0.6)}}, False),
        ({"shifts": SHIFTS | {"fp": (0.2, 0.6)}}, False),
        ({"shifts": SHIFTS | {"nf4": (0.2, 0.6)}}, False),
    ],
)
def test_structural_erasure_needs_both_forms_of_cad_beyond_noise_and_concentration(change, holds):
    assert judged(**change)["structural"].holds is holds


def test_a_property_is_a_plain_record_of_rule_and_reason():
    found = judged()["structural"]
    assert dataclasses.asdict(found).keys() == {"name", "outcome", "rule", "reason", "note"}
    assert "0.5" in found.rule


def in_three_formats(**worse: float) -> dict[str, Verdict]:
    """Good numbers in a third format as well, or worse ones there."""
    now = {"fp": 0.3, "nf4": 0.3, "fp8": worse.get("forget", 0.3)}
    kept = {"fp": 0.8, "nf4": 0.8, "fp8": worse.get("retain", 0.8)}
    changed = {
        "seen": accuracies("forget", "seen", in_states(0.9, **now)),
        "held-out": None,
        "retain": accuracies("retain", "all", in_states(0.8, **kept)),
        "utility": accuracies("utility", "all", in_states(0.8, fp=0.8, nf4=0.8, fp8=0.8)),
    }
    cads = CADS | {"fp8": (worse.get("cad", 0.7), 0.4)}
    floors = FLOORS | {"fp8": (0.1, 0.1)}
    return judged(changed, cads, floors, SHIFTS | {"fp8": (0.6, 0.2)})


@pytest.fixture
def fp8(tmp_path, monkeypatch) -> None:
    """A format of that name among the plugs; only its title is asked for."""
    (tmp_path / "formats").mkdir()
    text = "from mansu.quant.formats import weightwise\n"
    text += 'FORMAT = weightwise("fp8", "FP8", lambda weight: weight)\n'
    (tmp_path / "formats" / "fp8.py").write_text(text)
    monkeypatch.setenv("MANSU_PLUGS", str(tmp_path))


@pytest.mark.usefixtures("fp8")
@pytest.mark.parametrize(
    ("worse", "lost"),
    [
        ({}, set()),
        ({"forget": 0.8}, {"permanence"}),
        ({"retain": 0.7}, {"retain"}),
        ({"cad": 0.45}, {"structural"}),
    ],
)
def test_every_measured_format_must_bear_a_property_out(worse, lost):
    found = in_three_formats(**worse)
    assert {name for name, verdict in found.items() if not verdict.holds} == lost
    assert all("FP8" in found[name].rule for name in ("retain", "permanence", "structural"))


def test_what_no_format_was_measured_for_is_not_said_to_hold():
    changed = {name: Rows(row for row in part if row.format == "fp") for name, part in GOOD.items()}
    found = judged(changed, cads={"fp": (0.6, 0.4)}, floors={})
    assert {name for name, verdict in found.items() if verdict.holds} == {"forget", "retain"}
    assert "no format was measured" in found["permanence"].reason
    assert "no format was measured" in found["structural"].reason


def test_an_address_that_no_row_has_is_named():
    rows = Rows([Row("forget", "seen", "accuracy", "original", "fp", "value", 0.5)])
    with pytest.raises(KeyError, match="forget/seen/accuracy of unlearned-fp, value"):
        rows.at("forget", "seen", "accuracy", State(UNLEARNED, "fp"), "value")
