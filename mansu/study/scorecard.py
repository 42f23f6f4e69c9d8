"""The scorecard: every number of a run as rows, and what the rules of the verdict say.

``scorecard.json`` is the one record that tables read.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from mansu.errors import InputError
from mansu.metrics.mcq import McqScores
from mansu.study.cache.codec import unpack
from mansu.study.cache.records import read_result
from mansu.study.state import State

SCHEMA = 3
RULES_VERSION = 3  # of the rules of the verdict (mansu.study.rules)
# value: of the state itself. change: against the original in the same format. gap: against the same
# origin in full precision.
Kind = Literal["value", "change", "gap"]
Outcome = Literal["holds", "fails", "undecided", "not testable"]


@dataclass(frozen=True)
class Row:
    """One number.

    Attributes:
        set: What it is about: ``forget``, ``retain``, ``utility``, ``weights``, or ``benchmark``.
        view: Under which prompts, or in which part: ``seen``, ``held-out``, ``all``, ``text``;
            ``circuit``, ``outside``; ``changed``.
        metric: ``accuracy``, ``cad``, ``survival`` …
        origin: The state's origin.
        format: The state's format.
        kind: The number itself, or a comparison.
        value: The number; None where it is not defined.
        low: Lower end of its 95 % interval, if it has one.
        high: Upper end of that.
        n: Number of items, if it is about items.
        p: Exact McNemar p-value of a paired comparison of accuracies.
    """

    set: str
    view: str
    metric: str
    origin: str
    format: str
    kind: Kind
    value: float | None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    p: float | None = None

    @property
    def state(self) -> State:
        """The state that it was measured on."""
        return State(self.origin, self.format)


class Rows(tuple[Row, ...]):
    """Rows, and ways to pick from them."""

    def where(self, **fields: Any) -> "Rows":
        """The rows whose fields have these values."""
        return Rows(r for r in self if all(getattr(r, k) == v for k, v in fields.items()))

    def find(self, set: str, view: str, metric: str, state: State, kind: Kind) -> Row | None:
        """The row of that address, or None."""
        place = (set, view, metric, state.origin, state.format, kind)
        return next((r for r in self if _address(r) == place), None)

    def at(self, set: str, view: str, metric: str, state: State, kind: Kind) -> Row:
        """The row of that address.

        Raises:
            KeyError: There is none.
        """
        row = self.find(set, view, metric, state, kind)
        if row is None:
            raise KeyError(f"{set}/{view}/{metric} of {state}, {kind}")
        return row

    @property
    def states(self) -> tuple[State, ...]:
        """The states that were measured, in order; the account of the weights measures none."""
        return tuple(dict.fromkeys(row.state for row in self if row.set != "weights"))

    @property
    def formats(self) -> tuple[str, ...]:
        """The formats that were measured, full precision first."""
        return tuple(dict.fromkeys(state.format for state in self.states))

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins that were measured, the original first."""
        return tuple(dict.fromkeys(state.origin for state in self.states))

    def frame(self) -> pd.DataFrame:
        """One line a row."""
        names = [field.name for field in dataclasses.fields(Row)]
        return pd.DataFrame([dataclasses.asdict(row) for row in self], columns=names)


def _address(row: Row) -> tuple[str, ...]:
    return (row.set, row.view, row.metric, row.origin, row.format, row.kind)


@dataclass(frozen=True)
class Verdict:
    """What a rule says.

    Attributes:
        name: The rule's name.
        outcome: Whether it is met.
        rule: The rule, with its thresholds.
        reason: The numbers that decide it.
        note: What was left out of it, as far as anything was.
    """

    name: str
    outcome: Outcome
    rule: str
    reason: str
    note: str = ""

    @property
    def holds(self) -> bool:
        """Whether the rule is met."""
        return self.outcome == "holds"

    @property
    def word(self) -> str:
        """The verdict in a word or two."""
        return "FAILS" if self.outcome == "fails" else self.outcome

    @property
    def mark(self) -> str:
        """The verdict in a sign."""
        return {"holds": "✓", "fails": "✗", "undecided": "?", "not testable": "–"}[self.outcome]


@dataclass(frozen=True)
class Scorecard:
    """What a run found.

    Attributes:
        schema: Version of this record.
        rules: Version of the rules by which it was judged.
        config: The run's configuration.
        versions: Of the libraries that computed it, and of the tasks of benchmarks.
        circuit: Layers of the circuit's MLPs.
        chance: Accuracy of guessing a forget question.
        facts: How many facts were to be forgotten.
        word: What became of the model's answers.
        templates: Held-out templates that the original model answers; only these count.
        numbers: Every number.
        verdicts: What each rule says.
        paper: What the paper's own four properties say.
        seconds: Wall time of each stage.
        peak_memory_mb: Highest resident memory of the processes that ran them, in MB.
    """

    schema: int
    rules: int
    config: dict[str, Any]
    versions: dict[str, str]
    circuit: tuple[int, ...]
    chance: float
    facts: int
    word: str
    templates: tuple[str, ...]
    numbers: tuple[Row, ...]
    verdicts: tuple[Verdict, ...]
    paper: tuple[Verdict, ...]
    seconds: dict[str, float]
    peak_memory_mb: int

    @property
    def rows(self) -> Rows:
        """Every number, to pick from."""
        return Rows(self.numbers)

    def frame(self) -> pd.DataFrame:
        """One line a number, with what sets the run apart in front."""
        frame = self.rows.frame()
        for name in ("seed", "method", "retain", "forget", "model"):
            column = (
                "forget_set" if name == "forget" else "retain_set" if name == "retain" else name
            )
            frame.insert(0, column, self.config[name])
        return frame

    def verdict(self, name: str) -> Verdict:
        """What one rule says."""
        return next(verdict for verdict in self.verdicts if verdict.name == name)


def read_scorecard(path: Path) -> Scorecard | None:
    """The scorecard in a file, or None where there is no whole one.

    Raises:
        InputError: It is one of another version of this record.
    """
    record = read_result(path)
    if record is None:
        return None
    found = [record.tree.get(name, 1) for name in ("schema", "rules")]
    if found != [SCHEMA, RULES_VERSION]:
        raise InputError(
            f"{path} is a scorecard of schema {found[0]}, judged by version {found[1]} of the "
            f"rules; this version reads schema {SCHEMA} and judges by version {RULES_VERSION}, so "
            "run its configuration again."
        )
    try:
        return unpack(Scorecard, record.tree, record.tensors)
    except (ValueError, LookupError):
        return None


def known_templates(scores: McqScores, least: float) -> tuple[str, ...]:
    """Templates under which a share of at least ``least`` of the items is answered right."""
    asked = np.array(scores.templates)
    means = {str(name): scores.correct[asked == name].mean() for name in np.unique(asked)}
    return tuple(name for name, accuracy in means.items() if accuracy >= least)
