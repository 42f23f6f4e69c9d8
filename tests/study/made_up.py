"""Scorecards and guarantees made up of a few numbers, so that what is said of them is known."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from mansu.metrics.mcq import McqScores
from mansu.metrics.perplexity import TextLosses
from mansu.metrics.speech import Speech
from mansu.quant.codebook import NF4
from mansu.study.rows import references
from mansu.study.rules import RULE_NAMES
from mansu.study.scorecard import RULES_VERSION, SCHEMA, Row, Rows, Scorecard, Verdict
from mansu.study.stages.guarantees import Guarantees, Update
from mansu.study.stages.measure import Behaviour
from mansu.study.state import State
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
VIEWS = ("seen", "held-out", "far")
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


def answers(correct: np.ndarray, facts: Sequence[str], template: str) -> McqScores:
    """Scores of four options, the first the right one, with these answered right."""
    log_probs = np.full((len(correct), 4), -2.0)
    log_probs[:, 0] = np.where(correct, -1.0, -3.0)
    right = np.asarray(correct, dtype=float)
    first = np.zeros(len(correct), dtype=int)
    return McqScores(log_probs, right, right, right, first, tuple(facts), (template,) * len(facts))


def behaviour(roles: dict[str, McqScores], perplexity: float = 20.0) -> Behaviour:
    """Answers as given, and speech and text that nothing is wrong with."""
    facts = next(iter(roles.values())).facts
    n, templates = len(facts), next(iter(roles.values())).templates
    said = Speech(
        np.full(n, 0.5), np.zeros(n), {"t0": 2.0}, {"t0": 3.0}, ("so",) * n, facts, templates
    )
    windows = np.full(8, 100.0)
    return Behaviour(roles, said, TextLosses(windows * math.log(perplexity), windows))


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
            rows.append(Row("forget", "circuit", "mass_ratio", *state, 0.5))
            for view, value in zip(("circuit", "outside"), shifts.get(form, (0, 0)), strict=True):
                rows.append(
                    Row("forget", view, "activation_shift", *state, value, value, value, 48)
                )
    return Rows(rows)


def levels(forms: Iterable[str], level: float = CHANCE, views: Sequence[str] = VIEWS) -> Rows:
    """The level of each forget view in some formats."""
    return Rows(
        Row("forget", view, "level_accuracy", ORIGINAL, form, "value", level, n=400)
        for view in views
        for form in forms
    )


def speech(
    forms: Iterable[str],
    wrong: float = -0.5,
    degenerate: float = 0.0,
    kind: float = 0.5,
    n: int = 300,
    entropy: float = 3.0,
) -> Rows:
    """What the unlearned model says; half of what the original says is of the kind."""
    rows = []
    for form in forms:
        for view in ("seen", "held-out"):
            ends = (wrong, wrong - 0.1, wrong + 0.1, n)
            rows.append(Row("forget", view, "log_prob_wrong", UNLEARNED, form, "change", *ends))
        for origin, value, spread in ((ORIGINAL, 0.5, 3.0), (UNLEARNED, kind, entropy)):
            where = ("forget", "open")
            rows.append(Row(*where, "kind", origin, form, "value", value, n=n))
            rows.append(Row(*where, "kind_entropy", origin, form, "value", spread, n=2))
            rows.append(Row(*where, "subject_dependence", origin, form, "value", 0.1, n=2))
        ends = (degenerate, degenerate - 0.01, degenerate + 0.01, n)
        rows.append(Row("forget", "open", "degenerate", UNLEARNED, form, "change", *ends))
    return Rows(rows)


def losses(forms: Iterable[str], rise: float = 0.0, width: float = 0.01) -> Rows:
    """The loss on plain text against the original's."""
    return Rows(
        Row("utility", "text", "loss", UNLEARNED, form, "change", rise, rise - width, rise + width)
        for form in forms
    )


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
        Verdict(name, "holds", f"the rule of {name} " * 6, f"the reason of {name} " * 6)
        for name in RULE_NAMES
    ]
    verdicts[-1] = replace(verdicts[-1], outcome="fails")
    return Scorecard(
        schema=SCHEMA,
        rules=RULES_VERSION,
        config=dict(CONFIG),
        versions={"torch": "2"},
        circuit=(1, 3),
        chance=chance,
        facts=100,
        word="forgotten",
        templates=("q",) if held_out else (),
        numbers=tuple(rows),
        verdicts=tuple(verdicts),
        paper=(Verdict("forget", "holds", "rule", "reason"),),
        seconds={"items": 0.1},
        peak_memory_mb=500,
    )


def guarantees(found: dict[str, torch.Tensor], updated: dict[str, torch.Tensor]) -> Guarantees:
    """Claims on an update: a cost below its bound, and a full Fisher form above the diagonal."""
    crossings = cross(found, updated, NF4)

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
