"""Proof and verdict: re-attributes the unlearned model, and writes the scorecard.

Three comparisons: θ against θ₀; Q(θ) against Q(θ₀); and the noise floor, Q(θ₀) against θ₀, which
shows what quantization alone does to the attribution of a model that forgot nothing.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mansu.metrics.divergence import (
    ActivationShift,
    Divergence,
    activation_shift,
    circuit_divergence,
)
from mansu.metrics.mcq import McqScores
from mansu.metrics.significance import Gap, accuracy_interval, paired_gap
from mansu.quant.permanence import total_of_frame
from mansu.study.run import Run, once, versions
from mansu.study.scorecard import (
    Comparison,
    RoleResult,
    gap_json,
    known_templates,
    role_json,
)
from mansu.study.stages.base import Base, measure_base
from mansu.study.stages.draw import draw
from mansu.study.stages.floor import floor
from mansu.study.stages.localize import FIELDS, localize
from mansu.study.stages.quantize import Deployment, quantize
from mansu.study.stages.states import Attributions, State, attribute_states
from mansu.study.verdict import (
    forget_property,
    permanence_property,
    retain_property,
    structural_property,
)

BOOTSTRAP_SEED = 0


@dataclass(frozen=True)
class Structure:
    """The structural comparison.

    Attributes:
        fp: θ against θ₀.
        nf4: Q(θ) against Q(θ₀).
        noise: Q(θ₀) against θ₀, the noise floor.
        shift_fp: AS-C and AS-NC of θ against θ₀.
        shift_nf4: The same of Q(θ) against Q(θ₀).
    """

    fp: Divergence
    nf4: Divergence
    noise: Divergence
    shift_fp: ActivationShift
    shift_nf4: ActivationShift


def compare_states(run: Run, states: Attributions) -> Structure:
    """CAD, AS-C and AS-NC of the run."""
    circuit = localize(run).circuit
    facts = [pair.fact_id for pair in draw(run).pairs]
    graph = states.original.scores.graph

    def divergence(before: State, after: State) -> Divergence:
        return circuit_divergence(before.scores, after.scores, circuit, facts)

    def shift(before: State, after: State) -> ActivationShift:
        return activation_shift(before.differences, after.differences, graph, circuit, facts)

    return Structure(
        divergence(states.original, states.unlearned),
        divergence(states.original_nf4, states.unlearned_nf4),
        divergence(states.original, states.original_nf4),
        shift(states.original, states.unlearned),
        shift(states.original_nf4, states.unlearned_nf4),
    )


@once
def analyse(run: Run) -> dict[str, Any]:
    """Compares, decides the four properties, and writes ``scorecard.json``.

    Returns:
        The scorecard as stored.
    """
    base, now = measure_base(run), quantize(run)
    code = ["metrics", "circuit", "quant", "study"]
    stage = run.stage("analyse", FIELDS, code, base.key, now.key, localize(run).key)
    path = run.folder / "scorecard.json"
    stored = stage.read_json(path)
    if stored is not None:
        return stored
    states = attribute_states(run)
    card = _scorecard(run, base, now, compare_states(run, states))
    card["seconds"] = {name: cost.seconds for name, cost in run.costs.items()}
    card["peak_memory_mb"] = max(cost.peak_memory_mb for cost in run.costs.values())
    stage.write_json(path, card)
    return card


def _scorecard(run: Run, base: Base, now: Deployment, structure: Structure) -> dict[str, Any]:
    chance = draw(run).chance
    seen = _role(base, now, "forget_seen")
    known = known_templates(base.fp.roles["forget_held_out"])
    held_out = _role(base, now, "forget_held_out", known) if known else None
    retain, utility = _role(base, now, "retain"), _role(base, now, "utility")
    gap = _ptq_gap(now.fp.roles["forget_seen"], now.nf4.roles["forget_seen"])
    base_gap = _ptq_gap(base.fp.roles["forget_seen"], base.nf4.roles["forget_seen"])
    account = total_of_frame(floor(run).accounts)
    properties = {
        "forget": forget_property(seen, held_out, chance),
        "retain": retain_property(retain, utility),
        "permanence": permanence_property(seen, gap, base_gap, chance),
        "structural": structural_property(
            structure.fp, structure.nf4, structure.noise, structure.shift_fp, structure.shift_nf4
        ),
    }
    return {
        "config": dataclasses.asdict(run.config),  # pyright: ignore
        "versions": versions(),
        "circuit": list(localize(run).circuit.layers),
        "chance": chance,
        "forget": {
            **role_json(seen),
            "held_out_templates": None
            if held_out is None
            else {**role_json(held_out), "templates": sorted(known)},
        },
        "retain": role_json(retain),
        "utility": {
            **role_json(utility),
            "perplexity": {
                "fp": now.fp.perplexity,
                "nf4": now.nf4.perplexity,
                "fp_base": base.fp.perplexity,
                "nf4_base": base.nf4.perplexity,
            },
        },
        "ptq_gap": {**gap_json(gap), "base": gap_json(base_gap)},
        "survival": account.survival,
        "collateral": account.collateral,
        "changed_fraction": account.changed / run.model.weight_count,
        "changed": account.changed,
        "excluded": floor(run).excluded,
        "update_to_bin": {
            "median": account.ratio_median,
            "p05": account.ratio_p05,
            "p95": account.ratio_p95,
        },
        "cad": {
            name: _cad_json(found)
            for name, found in (
                ("fp", structure.fp),
                ("nf4", structure.nf4),
                ("noise_floor", structure.noise),
            )
        },
        "as_c": _shift_json(structure, lambda shift: shift.inside),
        "as_nc": _shift_json(structure, lambda shift: shift.outside),
        "properties": {name: found.holds for name, found in properties.items()},
        "rules": {name: found.rule for name, found in properties.items()},
        "reasons": {name: found.reason for name, found in properties.items()},
    }


def _role(base: Base, now: Deployment, role: str, templates: set[str] | None = None) -> RoleResult:
    def compare(before: McqScores, after: McqScores) -> Comparison:
        kept = [i for i, t in enumerate(before.templates) if templates is None or t in templates]
        facts = [before.facts[i] for i in kept]
        was, is_now = before.correct[kept], after.correct[kept]
        return Comparison(
            accuracy_interval(was, facts, BOOTSTRAP_SEED),
            accuracy_interval(is_now, facts, BOOTSTRAP_SEED),
            paired_gap(is_now, was, facts, BOOTSTRAP_SEED),
        )

    return RoleResult(
        compare(base.fp.roles[role], now.fp.roles[role]),
        compare(base.nf4.roles[role], now.nf4.roles[role]),
    )


def _ptq_gap(fp: McqScores, nf4: McqScores) -> Gap:
    """acc(Q(θ)) - acc(θ) on the same items [P]."""
    return paired_gap(nf4.correct, fp.correct, fp.facts, BOOTSTRAP_SEED)


def _cad_json(found: Divergence) -> dict[str, Any]:
    return {
        "value": found.cad.value,
        "ci": [found.cad.low, found.cad.high],
        "normalised": found.normalised.value,
        "normalised_ci": [found.normalised.low, found.normalised.high],
        "metric_ratio": found.metric_ratio,
    }


def _shift_json(structure: Structure, side: Callable[[ActivationShift], Any]) -> dict[str, Any]:
    found = {"fp": side(structure.shift_fp), "nf4": side(structure.shift_nf4)}
    return {name: {"value": e.value, "ci": [e.low, e.high]} for name, e in found.items()}
