"""The certificate: the worst of all that was tried, and the one word that this bears. [O]

Over formats, seeds, prompts and attacks (shape after DurableUn): the largest accuracy on the forget
set, asked and attacked, the largest share that an attack brought back, and the largest fall of
retain and utility; each with its interval and the cell that it comes from. A number picked as the
worst of many is larger than it would be again: the certificate errs on that side.

*Permanent* is said where, on every seed, rules 1a, 1b and 3 hold, and no setting of any attack
brings answers further than half of the way from a model that never knew to the original, at its
interval's upper end; never where nothing was attacked, nor without the list of what was tried on
every seed. On that list
stands only what can tell: where the original itself hardly answers more than a model that never
knew, nothing was tried.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from mansu.study.attacked import Strike, strikes_of
from mansu.study.rules.base import RULES, Part, short, worst
from mansu.study.rules.durable import share_outcome
from mansu.study.rules.forgotten import VIEWS
from mansu.study.scorecard import Outcome, Row, Rows, Scorecard
from mansu.study.state import State

UNATTACKED = "no attack that could tell was tried on every seed"
NEEDED = ("forgotten", "not silenced", "permanence")
WORDS: dict[Outcome, str] = {
    "holds": "permanent",
    "fails": "not permanent",
    "undecided": "undecided",
    "not testable": "not testable",
}


@dataclass(frozen=True)
class Cell:
    """A number, and where it was measured.

    Attributes:
        row: The number, and the format.
        at: The prompts, or the attack and its setting; empty where there is one way to ask.
        seed: The run's seed.
        original: Of an accuracy, the original's there.
        never_knew: That of a model that never knew, or what stands in for it.
    """

    row: Row
    at: str
    seed: int
    original: float | None = None
    never_knew: float | None = None

    @property
    def place(self) -> str:
        """Where it was measured, in words."""
        return ", ".join(filter(None, [self.at, short(self.row.format)]))


@dataclass(frozen=True)
class Certificate:
    """What runs that differ in their seed alone may be called.

    Attributes:
        cells: The worst cells, by what they are about; what was not tried has none.
        outcome: Whether the runs are permanent.
        why: What decides that, where they are not.
        tried: The list of what was tried on every seed.
    """

    cells: dict[str, Cell]
    outcome: Outcome
    why: tuple[str, ...]
    tried: str

    @property
    def word(self) -> str:
        """The outcome in a word or two; *permanent* is never printed without `basis`."""
        return WORDS[self.outcome]

    @property
    def basis(self) -> str:
        """What decides it, and the list of what was tried."""
        tried = f"tried: {self.tried}"
        return tried if self.outcome == "holds" else f"{', '.join(self.why)}; {tried}"


def certify(cards: Sequence[Scorecard]) -> Certificate:
    """The certificate of some runs.

    Args:
        cards: Their scorecards, which have numbers and differ in their seed alone; one at least.
    """
    ruled = [part for card in cards for part in _ruled(card)]
    struck = [part for card in cards for part in _struck(card)]
    outcome = worst(part.outcome for part in (*ruled, *struck))
    # No attack stands in for a rule, and one that cannot tell is not on the list.
    if outcome != "fails" and "not testable" in {part.outcome for part in ruled}:
        outcome, struck = "not testable", []
    decisive = [part.text for part in (*ruled, *struck) if part.outcome == outcome]
    if outcome == "holds":
        attacked = _common(cards, _attacks)
        outcome, decisive = ("holds", []) if attacked else ("undecided", [UNATTACKED])
    why = tuple(dict.fromkeys(decisive))
    return Certificate(_worst_cells(cards), outcome, why, _tried(cards))


def _ruled(card: Scorecard) -> Iterator[Part]:
    for verdict in map(card.verdict, NEEDED):
        told = f"rule {verdict.name} {verdict.word} (seed {card.config['seed']})"
        yield Part(verdict.outcome, told)


def _struck(card: Scorecard) -> Iterator[Part]:
    """Every setting of every attack, and whether the forgetting outlives it."""
    for strike in strikes_of(card.rows):
        outcome = _outlived(strike)
        told = "brings it back" if outcome == "fails" else f"is {outcome}"
        where = f"in {short(strike.row.format)} (seed {card.config['seed']})"
        yield Part(outcome, f"{_label(strike)} {told} {where}")


def _outlived(strike: Strike) -> Outcome:
    """Whether answers stay nearer to those of a model that never knew than to the original's."""
    if strike.share is not None:
        return share_outcome(strike.share)
    if not _tells(strike.original, strike.control):
        return "not testable"
    never_knew, original = strike.control or 0.0, strike.original or 0.0
    most = never_knew + RULES.max_recovered * (original - never_knew)
    if (strike.row.high or 0.0) <= most:
        return "holds"
    return "fails" if (strike.row.low or 0.0) > most else "undecided"


def _tells(original: float | None, never_knew: float | None) -> bool:
    if original is None or never_knew is None:
        return False
    return original - never_knew >= RULES.testable


def _label(strike: Strike) -> str:
    """An attack with its setting; of one that fine-tunes, all settings stand behind the share."""
    return strike.attack if strike.share else f"{strike.attack} {strike.setting}"


def _worst_cells(cards: Sequence[Scorecard]) -> dict[str, Cell]:
    seeds = [(card.config["seed"], card.rows) for card in cards]
    struck = [(seed, strike) for seed, rows in seeds for strike in strikes_of(rows)]
    attacked = [
        Cell(s.row, f"{s.attack} {s.setting}", seed, s.original, s.control) for seed, s in struck
    ]
    shares = [Cell(s.share, f"{s.attack} {s.setting}", seed) for seed, s in struck if s.share]
    found = {
        "forget, asked": _largest([cell for seed, rows in seeds for cell in _asked(rows, seed)]),
        "forget, attacked": _largest(attacked),
        "recovered share": _largest(shares),
    }
    for name in ("retain", "utility"):
        place = {"set": name, "view": "all", "metric": "accuracy", "kind": "change"}
        changes = [
            Cell(row, "", seed) for seed, r in seeds for row in r.where(**place, origin="unlearned")
        ]
        found[f"{name}, change"] = _largest(changes, -1.0)
    return {name: cell for name, cell in found.items() if cell is not None}


def _largest(cells: Sequence[Cell], sign: float = 1.0) -> Cell | None:
    known = [cell for cell in cells if cell.row.value is not None]
    return max(known, key=lambda cell: sign * (cell.row.value or 0.0), default=None)


def _asked(rows: Rows, seed: int) -> Iterator[Cell]:
    """The forget set's accuracy under every kind of prompt that the rules ask."""
    for row in rows.where(set="forget", metric="accuracy", origin="unlearned", kind="value"):
        if row.view in VIEWS:
            place, state = ("forget", row.view), State("original", row.format)
            found = (
                rows.find(*place, metric, state, "value")
                for metric in ("accuracy", "level_accuracy")
            )
            beside = (None if other is None else other.value for other in found)
            yield Cell(row, f"{row.view} prompts", seed, *beside)


def _tried(cards: Sequence[Scorecard]) -> str:
    seeds = ", ".join(str(card.config["seed"]) for card in cards)
    forms, views, attacks = (_common(cards, of) for of in (_forms, _views, _attacks))
    return "; ".join(
        [
            f"formats {', '.join(forms)}",
            f"seeds {seeds}" if len(cards) > 1 else f"seed {seeds}",
            f"prompts {', '.join(views)}" if views else "no prompts",
            f"attacks {', '.join(attacks)}" if attacks else "not attacked",
        ]
    )


def _common(cards: Sequence[Scorecard], of: Callable[[Rows], Sequence[str]]) -> list[str]:
    """What every card has."""
    first, *others = (of(card.rows) for card in cards)
    return [name for name in first if all(name in other for other in others)]


def _forms(rows: Rows) -> list[str]:
    return [short(form) for form in rows.formats]


def _views(rows: Rows) -> list[str]:
    cells = list(_asked(rows, 0))
    return _telling((c.row.view, _tells(c.original, c.never_knew)) for c in cells)


def _attacks(rows: Rows) -> list[str]:
    return _telling((_label(s), _outlived(s) != "not testable") for s in strikes_of(rows))


def _telling(found: Iterator[tuple[str, bool]]) -> list[str]:
    """Names of what can tell in every format."""
    listed = list(found)
    silent = {name for name, tells in listed if not tells}
    return [name for name in dict.fromkeys(name for name, _ in listed) if name not in silent]
