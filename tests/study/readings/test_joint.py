"""The joint reading follows from the numbers."""

import pytest

from mansu.study.readings.joint import joint_reading


def card(cad: float, normalised: float, inside: float, outside: float, accuracy: float) -> dict:
    """A scorecard with the same numbers in both precisions and a noise floor of 0.1."""

    def divergence(value: float, scale_free: float) -> dict:
        return {
            "value": value,
            "ci": [value - 0.05, value + 0.05],
            "normalised": scale_free,
            "normalised_ci": [scale_free - 0.05, scale_free + 0.05],
        }

    both = ("fp", "nf4")
    return {
        "chance": 0.25,
        "forget": {p: {"acc": accuracy} for p in both} | {f"{p}_base": {"acc": 0.9} for p in both},
        "cad": {p: divergence(cad, normalised) for p in both}
        | {"noise_floor": divergence(0.1, 0.1)},
        "as_c": {p: {"value": inside} for p in both},
        "as_nc": {p: {"value": outside} for p in both},
    }


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
