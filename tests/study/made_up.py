"""Scorecards and guarantees made up of a few numbers, so that what is said of them is known."""

from collections.abc import Iterable, Mapping

import torch

from mansu.study.rows import references
from mansu.study.scorecard import SCHEMA, Row, Rows, Scorecard, Verdict
from mansu.study.stages.guarantees import Guarantees, Update
from mansu.study.state import State
from mansu.study.tables import PROPERTIES
from mansu.theory import (
    Eigenvalue,
    FisherBlock,
    FisherForms,
    RetainCost,
    Sharpness,
    UniformCap,
    cross,
)

CHANCE = 0.25
ORIGINAL, UNLEARNED = "original", "unlearned"
CONFIG = {
    "model": "tiny-llama",
    "forget": "elements",
    "retain": "capitals",
    "utility": "cities",
    "method": "mansu",
    "seed": 3,
    "circuit": "causal",
    "floor": "in_loop",
}


def accuracies(
    name: str, view: str, found: Mapping[State, float], n: int = 400, width: float = 0.03
) -> Rows:
    """Rows of one accuracy in some states, every interval that wide to either side."""
    rows = []
    for state, value in found.items():
        address = (name, view, "accuracy", state.origin, state.format)
        rows.append(Row(*address, "value", value, value - width, value + width, n))
        for kind, other in references(state, found):
            gap = value - found[other]
            rows.append(Row(*address, kind, gap, gap - width, gap + width, n, 0.01))
    return Rows(rows)


def in_states(base: float, **now: float) -> dict[State, float]:
    """A number of the original, the same in every format, and of the unlearned model in each."""
    return {
        **{State(ORIGINAL, form): base for form in now},
        **{State(UNLEARNED, form): value for form, value in now.items()},
    }


def divergences(
    cads: Mapping[str, tuple[float, float]],
    floors: Mapping[str, tuple[float, float]],
    shifts: Mapping[str, tuple[float, float]],
    width: float = 0.05,
) -> Rows:
    """CAD and normalised CAD by format, their noise floors, AS-C and AS-NC."""
    rows = []
    sides = [(UNLEARNED, "change", cads), (ORIGINAL, "gap", floors)]
    for origin, kind, found in sides:
        for form, pair in found.items():
            state = (origin, form, kind)
            for metric, value in zip(("cad", "normalised_cad"), pair, strict=True):
                ends = (value - width, value + width, 48)
                rows.append(Row("forget", "circuit", metric, *state, value, *ends))
            rows.append(Row("forget", "circuit", "metric_ratio", *state, 1 - pair[0]))
            for view, value in zip(("circuit", "outside"), shifts.get(form, (0, 0)), strict=True):
                rows.append(
                    Row("forget", view, "activation_shift", *state, value, value, value, 48)
                )
    return Rows(rows)


def perplexities(found: Mapping[State, float]) -> Rows:
    """Rows of the perplexity."""
    rows = []
    for state, value in found.items():
        address = ("utility", "text", "perplexity", state.origin, state.format)
        rows.append(Row(*address, "value", value))
        for kind, other in references(state, found):
            rows.append(Row(*address, kind, value - found[other]))
    return Rows(rows)


def weights(changed: int = 216345, survival: float | None = 1.0) -> Rows:
    """The account of an update."""
    nothing = survival is None
    values = {
        "changed": changed,
        "changed_fraction": 0.0016,
        "survival": survival,
        "collateral": 0,
        "excluded": 12,
        "ratio_median": None if nothing else 1.02,
        "ratio_p05": None if nothing else 0.6,
        "ratio_p95": None if nothing else 2.1,
    }
    return Rows(
        Row("weights", "changed", metric, UNLEARNED, "nf4", "value", value)
        for metric, value in values.items()
    )


def scorecard(rows: Iterable[Row], held_out: bool = True, chance: float = CHANCE) -> Scorecard:
    """A scorecard of these rows, with made-up verdicts: all hold but the last."""
    verdicts = [
        Verdict(
            name, name != PROPERTIES[-1], f"the rule of {name} " * 6, f"the reason of {name} " * 6
        )
        for name in PROPERTIES
    ]
    return Scorecard(
        schema=SCHEMA,
        config=dict(CONFIG),
        versions={"torch": "2"},
        circuit=(1, 3),
        chance=chance,
        templates=("q",) if held_out else (),
        numbers=tuple(rows),
        verdicts=tuple(verdicts),
        seconds={"items": 0.1},
        peak_memory_mb=500,
    )


def guarantees(found: dict[str, torch.Tensor], updated: dict[str, torch.Tensor]) -> Guarantees:
    """Claims on an update: a cost below its bound, and a full Fisher form above the diagonal."""
    crossings = cross(found, updated)

    def update(norm: float) -> Update:
        cost = RetainCost(norm, 0.01 * norm, 0.1 * norm**2, 1.0, 1.0 + 0.02 * norm)
        return Update(cost, crossings, FisherForms(3e-4 * norm, 1e-4 * norm))

    caps = [
        ("whole model", 10**8, 1e-6),
        ("circuit", 10**7, 1e-6),
        ("changed weights", 10**4, 1e-7),
    ]
    return Guarantees(
        examples=16,
        caps=tuple(UniformCap(name, k, fisher, 0.02, 0.01) for name, k, fisher in caps),
        circuit=Sharpness(10**7, 0.5, Eigenvalue(2.0, 0.01, 9)),
        whole=Sharpness(10**8, 1.5, Eigenvalue(20.0, 0.1, 9)),
        before=update(0.5),
        after=update(1.0),
        block=FisherBlock(256, 16, 1.0, 4.0, 3.0),
    )
