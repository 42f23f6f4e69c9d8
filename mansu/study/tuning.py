"""The same small search for every method: which settings are tried, and which one is chosen. [O]

At most eight settings a method, over its learning rate and its strength (the weight of its retain
term, or what it names). One way for all:

1. the default;
2. the rate, three times lower as long as trainings end broken (their last check harmed the retain
   set or silenced the model), or three times higher as long as they do not: at most three more;
3. the rate between the last that broke and the last that did not;
4. the best of these held four times harder, four times less, and four times harder at three times
   the rate.

Each is trained as in any run, but given up after three broken checks in a row, and judged on check
items alone, by the rule that chooses checkpoints: among the checks that kept the retain set and
spoke on, the one nearest to its level; where a setting has none, by how far the least harmful of
its checks is from both.
"""

from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

from mansu.unlearn.checkpoint import Validation, kept_of
from mansu.unlearn.methods.base import Method

MOST = 8
RATES = 4  # that are tried one stride apart
STRIDE = 3.0
HARDER = 4.0
PATIENCE = 3  # broken checks in a row: some methods harm the retain set first and mend it later


@dataclass(frozen=True)
class Tried:
    """One setting of a method, trained.

    Attributes:
        settings: What differs from the method's defaults.
        check: The check it is judged by; None where it has none, for it diverged.
        allowed: Whether that check kept the retain set and spoke on.
        broken: Whether its training ended where one of the two was lost, or diverged.
        seconds: Processor time of its training; of the last slice, where one was cut short.
        note: Why there is no check.
        key: Of the training: what it was made from, code included.
    """

    settings: dict[str, float]
    check: Validation | None
    allowed: bool
    broken: bool
    seconds: float
    note: str = ""
    key: str = ""

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


def search(method: Method) -> Generator[dict[str, float], Tried, None]:
    """Yields one setting after the other, and is sent what became of each."""
    own, name = method.settings(), method.strength
    usual = getattr(own, name, None)

    def at(rate: float, times: float = 1.0) -> dict[str, float]:
        values = {"learning_rate": float(f"{own.learning_rate * rate:.2g}")}
        return values if times == 1 or usual is None else {**values, name: usual * times}

    found = {1.0: (yield {})}
    rate, slower = 1.0, found[1.0].broken
    while len(found) < RATES and found[rate].broken == slower:
        rate = rate / STRIDE if slower else rate * STRIDE
        found[rate] = yield at(rate)
    if found[rate].broken != slower:
        between = rate * STRIDE**0.5 if slower else rate / STRIDE**0.5
        found[between] = yield at(between)
    if usual:
        best = min(found, key=lambda rate: found[rate].badness)
        for rate, times in ((best, HARDER), (best, 1 / HARDER), (STRIDE * best, HARDER)):
            yield at(rate, times)


def possible(method: Method) -> list[dict[str, float]]:
    """Every setting that a search may come to, whatever becomes of those before it."""
    found: list[dict[str, float]] = []
    for broken, best in product(product((False, True), repeat=RATES), range(MOST)):
        walk, fates = search(method), iter(broken)
        values = next(walk)
        for number in range(MOST):
            found += [] if values in found else [values]
            off = Validation(0, 0.0, 0.0, 1.0 - (number == best), 0.0, 0.0)
            try:
                values = walk.send(Tried(values, off, True, next(fates, False), 0.0))
            except StopIteration:
                break
    return found


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
