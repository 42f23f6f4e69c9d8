"""The four properties on made-up numbers: each rule holds, and fails, on its own ground."""

import dataclasses

import numpy as np
import pytest
from mansu.study.verdict import (
    forget_property,
    permanence_property,
    retain_property,
    structural_property,
)

from mansu.metrics.divergence import ActivationShift, Divergence
from mansu.metrics.significance import Estimate, Gap
from mansu.study.scorecard import Comparison, RoleResult

CHANCE = 0.25


def role(base: float, fp: float, nf4: float, n: int = 400, width: float = 0.03) -> RoleResult:
    def compare(now: float) -> Comparison:
        estimates = [Estimate(v, n, v - width, v + width) for v in (base, now)]
        return Comparison(*estimates, gap(now - base, width))

    return RoleResult(compare(fp), compare(nf4))


def gap(value: float, width: float = 0.03) -> Gap:
    return Gap(value, value - width, value + width, 0.01)


def divergence(cad: float, normalised: float | None = None) -> Divergence:
    normalised = cad if normalised is None else normalised
    pair = [Estimate(v, 48, v - 0.05, v + 0.05) for v in (cad, normalised)]
    return Divergence(*pair, 1 - cad)


def shift(inside: float, outside: float) -> ActivationShift:
    pair = [Estimate(v, 48, v, v) for v in (inside, outside)]
    return ActivationShift(*pair, np.array([]))


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
    assert forget_property(seen, held_out, CHANCE).holds is holds


def test_forgetting_on_seen_templates_only_is_called_suppression():
    found = forget_property(role(0.9, 0.3, 0.3), role(0.8, 0.75, 0.75), CHANCE)
    assert "suppresses" in found.reason


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
    assert retain_property(retain, utility).holds is holds


@pytest.mark.parametrize(
    ("seen", "found", "holds"),
    [
        (role(0.9, 0.3, 0.3), gap(0.0), True),
        (role(0.9, 0.3, 0.3), gap(0.03), False),
        (role(0.9, 0.3, 0.3), gap(0.02, width=0.09), False),
        (role(0.9, 0.3, 0.8), gap(-0.1), False),
    ],
)
def test_permanence_needs_a_small_gap_and_forgetting_in_nf4(seen, found, holds):
    assert permanence_property(seen, found, gap(-0.08), CHANCE).holds is holds


def test_the_original_models_own_gap_stands_beside_the_verdict():
    reason = permanence_property(role(0.9, 0.3, 0.3), gap(0.0), gap(-0.081), CHANCE).reason
    assert "-0.081" in reason


GOOD = {
    "fp": divergence(0.6, 0.4),
    "nf4": divergence(0.8, 0.5),
    "noise": divergence(0.12),
    "shift_fp": shift(0.6, 0.2),
    "shift_nf4": shift(0.6, 0.2),
}


@pytest.mark.parametrize(
    ("change", "holds"),
    [
        ({}, True),
        ({"fp": divergence(0.45, 0.4)}, False),
        ({"nf4": divergence(0.45, 0.4)}, False),
        ({"fp": divergence(0.9, 0.1)}, False),
        ({"noise": divergence(0.6)}, False),
        ({"shift_fp": shift(0.2, 0.6)}, False),
        ({"shift_nf4": shift(0.2, 0.6)}, False),
    ],
)
def test_structural_erasure_needs_both_forms_of_cad_beyond_noise_and_concentration(change, holds):
    assert structural_property(**(GOOD | change)).holds is holds


def test_a_property_is_a_plain_record_of_rule_and_reason():
    found = structural_property(**GOOD)
    assert dataclasses.asdict(found).keys() == {"holds", "rule", "reason"}
    assert "0.5" in found.rule
