"""The joint reading follows from the numbers."""

import pytest

from mansu.study.readings.joint import joint_reading
from mansu.study.scorecard import Scorecard
from tests.study.made_up import accuracies, divergences, in_states, scorecard


def card(
    cad: float, normalised: float, inside: float, outside: float, accuracy: float
) -> Scorecard:
    """A scorecard with the same numbers in both formats and a noise floor of 0.1."""
    both = ("fp", "nf4")
    found = divergences(
        dict.fromkeys(both, (cad, normalised)),
        {"nf4": (0.1, 0.1)},
        dict.fromkeys(both, (inside, outside)),
    )
    seen = accuracies("forget", "seen", in_states(0.9, fp=accuracy, nf4=accuracy))
    return scorecard([*seen, *found])


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ((0.8, 0.8, 0.9, 0.3, 0.3), "localized erasure"),
        ((0.8, 0.8, 0.5, 0.6, 0.3), "broad damage"),
        ((0.1, 0.1, 0.2, 0.1, 0.3), "suppression"),
        ((0.9, 0.1, 0.2, 0.1, 0.3), "became quieter"),
        ((0.1, 0.1, 0.1, 0.1, 0.9), "nothing was erased"),
        ((0.8, 0.8, 0.9, 0.3, 0.9), "answers are still there"),
        ((0.4, 0.4, 0.9, 0.3, 0.3), "partial"),
    ],
)
def test_a_pattern_of_numbers_has_its_word(numbers: tuple, expected: str) -> None:
    lines = joint_reading(card(*numbers)).splitlines()
    assert len(lines) == 2
    assert all(expected in line for line in lines)


def test_the_reading_quotes_the_numbers_it_rests_on() -> None:
    text = joint_reading(card(0.8, 0.7, 0.9, 0.3, 0.3))
    for number in ("0.80", "0.70", "0.90", "0.30", "0.10"):
        assert number in text


def test_a_run_measured_in_no_format_has_no_noise_floor_to_be_read_against() -> None:
    found = divergences({"fp": (0.8, 0.8)}, {}, {"fp": (0.9, 0.3)})
    seen = accuracies("forget", "seen", in_states(0.9, fp=0.3))
    assert "no format was measured" in joint_reading(scorecard([*seen, *found]))
