"""The method's guarantees, checked on this run: before and after the floor.

All of it is taken on one small, seeded sample of the retain examples, because the Hessian of the
whole model is multiplied many times. Computed when a notebook asks for it, not by `run_study`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from mansu.models.swap import swapped
from mansu.quant import binned, linear_weights
from mansu.study.cache.stage import Upstream, stage
from mansu.study.run import Run
from mansu.study.stages.fisher import trainable_weights
from mansu.study.stages.floor import floor
from mansu.study.stages.sharpness import SEED, measure_sharpness, places, retain_sample
from mansu.study.stages.train import train
from mansu.theory import (
    Crossings,
    FisherBlock,
    FisherForms,
    RetainCost,
    RetainLoss,
    Sharpness,
    UniformCap,
    cross,
    draw_sample,
    survey,
    uniform_caps,
)
from mansu.theory.retain_loss import Vector, inner, norm
from mansu.theory.survey import Index, size

BUDGET = 0.01  # ε of Proposition 1, in nats of the retain loss
SAMPLE = 256  # weights whose Fisher block is computed


@dataclass(frozen=True)
class Update:
    """One update of the circuit, θ − θ₀, under every claim that speaks of updates.

    Attributes:
        cost: What it costs the retain loss (Theorem 1).
        crossings: Who left its bin, and how far (Lemma 1, Proposition 2).
        forms: Its Fisher form, full and diagonal (Proposition 3).
    """

    cost: RetainCost
    crossings: Crossings
    forms: FisherForms


@dataclass(frozen=True)
class Guarantees:
    """The claims' numbers on one run.

    Attributes:
        examples: Retain examples they were taken on.
        caps: Proposition 1 for the whole model, the circuit, and the movable and changed weights.
        circuit: Gradient and curvature over the circuit (Theorem 1).
        whole: The same over every linear weight.
        before: The trained update, before the floor.
        after: The unlearned checkpoint, after it.
        block: The Fisher block of a sample of changed weights; of movable ones if none changed.
    """

    examples: int
    caps: tuple[UniformCap, ...]
    circuit: Sharpness
    whole: Sharpness
    before: Update
    after: Update
    block: FisherBlock


def _before(run: Run) -> list[Upstream]:
    return [(floor, ()), *((measure_sharpness, (where,)) for where in places(run))]


@stage("guarantees", "run", after=_before, ending=".json")
def measure_guarantees(run: Run) -> Guarantees:
    """Checks every claim on this run, or reads what was found."""
    trained, unlearned = train(run), floor(run)
    every = trainable_weights(run)
    both = {"before": trained.matrices(every), "after": unlearned.matrices(every)}
    originals = binned(every)  # the claims speak of what has bins
    found = {name: binned(matrices) for name, matrices in both.items()}
    movable = {name: trained.index.get(name) for name in trained.values if name in originals}
    changed = {name: index for name, index in unlearned.index.items() if name in originals}
    return _measure(run, originals, found, movable, changed)


def _measure(
    run: Run,
    originals: Mapping[str, Tensor],
    states: Mapping[str, Vector],
    movable: Index,
    changed: Index,
) -> Guarantees:
    """Everything; the states' matrices become their updates Δ, to hold each of them once."""
    circuit_sharp, whole_sharp = (measure_sharpness(run, where) for where in places(run))
    linear = linear_weights(run.model)
    generator = torch.Generator().manual_seed(SEED)
    whole = RetainLoss(run.model, retain_sample(run), list(linear))
    circuit = RetainLoss(run.model, whole.examples, list(originals))
    sets: dict[str, Index] = {
        "whole model": dict.fromkeys(linear),
        "circuit": dict.fromkeys(originals),
        "movable weights": movable,
        "changed weights": changed,
    }
    sets = {name: index for name, index in sets.items() if size(index, linear)}
    sample = draw_sample(sets[list(sets)[-1]], linear, SAMPLE, generator)

    crossings = {name: cross(originals, state, run.codebook) for name, state in states.items()}
    loss_before = _mean_loss(whole)
    losses = {}
    for name, state in states.items():
        with swapped(run.model.module, state):
            losses[name] = _mean_loss(whole)
        for weight, tensor in state.items():
            tensor.sub_(originals[weight])
    seen = survey(whole, sets, states, sample, generator, run.report("guarantees: gradients"))
    updates = {}
    for name, delta in states.items():
        curvature = inner(delta, circuit.hessian_vector(delta))
        slope = seen.slopes[name]
        cost = RetainCost(norm(delta), slope, curvature, loss_before, losses[name])
        updates[name] = Update(cost, crossings[name], seen.forms[name])
    return Guarantees(
        examples=len(whole.examples),
        caps=uniform_caps(linear, sets, seen.fisher, BUDGET, run.codebook),
        circuit=circuit_sharp,
        whole=whole_sharp,
        block=seen.block,
        **updates,
    )


def _mean_loss(loss: RetainLoss) -> float:
    return float(loss.losses().double().mean())
