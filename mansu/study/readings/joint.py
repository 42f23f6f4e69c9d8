"""The joint reading of CAD and AS-NC in words, decided by the scorecard's numbers alone. [P]

The three patterns are the paper's: high CAD with low AS-NC is localized erasure, high CAD with high
AS-NC broad damage, CAD near its noise floor with forgotten behaviour suppression. Where each word
begins is ours [O]: "high" as in the paper's structural property, "low" as AS-NC below AS-C.
"""

from mansu.study.rules import RULES
from mansu.study.rules.paper import clears, fell_far, shift_of
from mansu.study.rules.structural import noise_floor
from mansu.study.scorecard import Rows, Scorecard
from mansu.study.state import State, format_title


def joint_reading(card: Scorecard, origin: str = "unlearned") -> str:
    """One line a format, in Markdown."""
    if not card.rows.formats[1:]:
        return "- no format was measured, so there is no noise floor to read CAD against."
    lines = [
        f"- **In {format_title(form)}:** {reading_of(card, State(origin, form))}"
        for form in card.rows.formats
    ]
    return "\n".join(lines)


def reading_of(card: Scorecard, state: State) -> str:
    """The reading of one state."""
    rows = card.rows
    cad, normalised, cad_floor, normalised_floor = _numbers(rows, state)
    inside, outside = (row.value or 0.0 for row in shift_of(rows, state))
    numbers = (
        f"CAD {cad:.2f} against a noise floor of {cad_floor:.2f}, normalised {normalised:.2f} "
        f"against {normalised_floor:.2f}; AS-NC {outside:.2f}, AS-C {inside:.2f}"
    )
    moved, turned = clears(rows, "cad", state), clears(rows, "normalised_cad", state)
    high = moved and turned and cad >= RULES.high_cad
    lost = (
        "the circuit's edges lost most of their effect, and of what is left "
        f"{1 - normalised / 2:.0%} pushes the way it did"
    )
    forgot = _forgot(card, state)
    if high and outside >= inside:
        return f"broad damage: {lost}; the rest changed as much ({numbers})."
    if high and forgot:
        return f"localized erasure: {lost}; the rest changed less ({numbers})."
    if high:
        return (
            f"{lost}; yet the answers are still there: the model finds them by another way "
            f"({numbers})."
        )
    if moved and turned:
        told = "forgotten" if forgot else "not forgotten"
        return f"partial. The circuit moved but stands in part; behaviour is {told} ({numbers})."
    if not forgot:
        return f"nothing was erased: neither the circuit nor the answers left ({numbers})."
    if moved:
        return (
            "suppression. CAD is above its noise floor, its normalised form is not: the answer "
            f"became quieter and the circuit works as before ({numbers})."
        )
    return f"suppression. The answers are gone and the circuit stands ({numbers})."


def _numbers(rows: Rows, state: State) -> list[float]:
    """CAD and its normalised form, and the noise floors of both."""
    names = ("cad", "normalised_cad")
    found = [rows.at("forget", "circuit", name, state, "change") for name in names]
    found += [noise_floor(rows, name, state.format) for name in names]
    return [row.value or 0.0 for row in found]


def _forgot(card: Scorecard, state: State) -> bool:
    before, now = (
        card.rows.at("forget", "seen", "accuracy", State(origin, state.format), "value").value
        for origin in ("original", state.origin)
    )
    return fell_far(before or 0.0, now or 0.0, card.chance)
