"""The same small search for every method: which settings are tried, and which one is chosen. [O]

At most eight settings a method, over its learning rate and its strength (the weight of its retain
term, or what it names), the default first. Each is trained as in any run and judged on check items
alone, by the rule that chooses checkpoints: among the checks that kept the retain set and spoke on,
the one nearest to its level; where a setting has none, by how far the least harmful of its checks
is from both.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mansu.errors import InputError
from mansu.study.config_file import read_config
from mansu.unlearn.checkpoint import Validation, kept_of
from mansu.unlearn.methods.base import Method

MOST = 8
RATES = (1.0, 1 / 3, 3.0, 10.0)  # times the method's own, in the order in which they are tried
STRENGTHS = (1.0, 4.0)


@dataclass(frozen=True)
class Tried:
    """One setting of a method, trained.

    Attributes:
        settings: What differs from the method's defaults.
        check: The check it is judged by; None where it has none, for it diverged.
        allowed: Whether that check kept the retain set and spoke on.
        seconds: Of its training.
        note: Why there is no check.
    """

    settings: dict[str, Any]
    check: Validation | None
    allowed: bool
    seconds: float
    note: str = ""

    @property
    def badness(self) -> tuple[bool, float]:
        """What the choice minimises: first whether it is allowed, then how far it is off."""
        if self.check is None:
            return True, float("inf")
        return not self.allowed, _trade_off(self.check, self.allowed)

    def line(self) -> dict[str, Any]:
        """As it is written down."""
        found = asdict(self)
        return {name: value for name, value in found.items() if value not in (None, "")}


def settings_to_try(method: Method) -> list[dict[str, Any]]:
    """What the search tries of a method, the default first."""
    own, name = method.settings(), method.strength
    usual = getattr(own, name, None)
    found = []
    for times in STRENGTHS if usual is not None else STRENGTHS[:1]:
        for faster in RATES:
            values = {"learning_rate": float(f"{own.learning_rate * faster:.2g}")}
            if usual is not None and times != 1:
                values[name] = usual * times
            found.append(values)
    found[0] = {}  # the method as it is
    return found[:MOST]


def judge_checks(validations: Sequence[Validation]) -> tuple[Validation | None, bool]:
    """The check that a setting is judged by, and whether it is allowed."""
    best = kept_of(validations, "best")
    if best is not None:
        return best, True
    return min(validations, key=lambda v: _trade_off(v, False), default=None), False


def choose(tried: Sequence[Tried]) -> Tried:
    """The setting that is taken; ties go to the earlier."""
    return min(tried, key=lambda one: one.badness)


def _trade_off(check: Validation, allowed: bool) -> float:
    if allowed:
        return check.off_level
    return check.off_level + max(0.0, check.retain_drop) + max(0.0, check.fall) / 10


def read_tuned(path: Path) -> dict[str, dict[str, Any]]:
    """The settings chosen, by method.

    Raises:
        InputError: The file is none that `mansu tune` wrote, or the search is not finished:
            settings chosen from a part of it would not be the same chance for all.
    """
    values = read_config(path)
    try:
        found = {name: dict(entry["chosen"]) for name, entry in values.items()}
        begun = [name for name, entry in values.items() if not entry["finished"]]
    except (TypeError, KeyError, ValueError) as error:
        raise InputError(f"{path} holds no tuned settings; mansu tune writes them.") from error
    if begun:
        raise InputError(f"{path}: the search for {begun[0]} is not over; run mansu tune again.")
    return found
