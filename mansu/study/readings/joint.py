"""The joint reading of CAD and AS-NC in words, decided by the scorecard's numbers alone. [P]

The three patterns are the paper's: high CAD with low AS-NC is localized erasure, high CAD with high
AS-NC broad damage, CAD near its noise floor with forgotten behaviour suppression. Where each word
begins is ours [O]: "high" as in the structural rule, "low" as AS-NC below AS-C.
"""

from typing import Any

from mansu.study.scorecard import RULES, fell_far

NAMES = {"fp": "full precision", "nf4": "NF4"}


def joint_reading(card: dict[str, Any]) -> str:
    """One line a precision, in Markdown."""
    return "\n".join(f"- **In {name}:** {reading_of(card, p)}" for p, name in NAMES.items())


def reading_of(card: dict[str, Any], precision: str) -> str:
    """The reading in one precision, ``fp`` or ``nf4``."""
    found, floor = card["cad"][precision], card["cad"]["noise_floor"]
    inside, outside = card["as_c"][precision]["value"], card["as_nc"][precision]["value"]
    numbers = (
        f"CAD {found['value']:.2f} against a noise floor of {floor['value']:.2f}, normalised "
        f"{found['normalised']:.2f} against {floor['normalised']:.2f}; AS-NC {outside:.2f}, AS-C "
        f"{inside:.2f}"
    )
    clears = found["ci"][0] > floor["ci"][1]
    turned = found["normalised_ci"][0] > floor["normalised_ci"][1]
    high = clears and turned and found["value"] >= RULES.min_cad
    lost = (
        "the circuit's edges lost most of their effect, and of what is left "
        f"{1 - found['normalised'] / 2:.0%} pushes the way it did"
    )
    forgot = _forgot(card, precision)
    if high and outside >= inside:
        return f"broad damage: {lost}; the rest changed as much ({numbers})."
    if high and forgot:
        return f"localized erasure: {lost}; the rest changed less ({numbers})."
    if high:
        return (
            f"{lost}; yet the answers are still there: the model finds them by another way "
            f"({numbers})."
        )
    if clears and turned:
        state = "forgotten" if forgot else "not forgotten"
        return f"partial. The circuit moved but stands in part; behaviour is {state} ({numbers})."
    if not forgot:
        return f"nothing was erased: neither the circuit nor the answers left ({numbers})."
    if clears:
        return (
            "suppression. CAD is above its noise floor, its normalised form is not: the answer "
            f"became quieter and the circuit works as before ({numbers})."
        )
    return f"suppression. The answers are gone and the circuit stands ({numbers})."


def _forgot(card: dict[str, Any], precision: str) -> bool:
    base = card["forget"][f"{precision}_base"]["acc"]
    now = card["forget"][precision]["acc"]
    return fell_far(base, now, card["chance"])
