"""How steep and how curved θ₀'s retain loss is (Theorem 1): over a method's weights, or all.

Of θ₀ and some retain examples alone, whatever was trained: taken once for all runs that share them.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from mansu.data.examples import Example
from mansu.models.memory import release_memory
from mansu.quant import binned, linear_weights
from mansu.registry import plugs
from mansu.study.cache.stage import Upstream, stage
from mansu.study.run import Run
from mansu.study.stages.draw import draw
from mansu.study.stages.fisher import build_retain_examples, scope_of, trainable_weights
from mansu.study.stages.localize import choose_circuit
from mansu.theory import RetainLoss, Sharpness, largest_eigenvalue
from mansu.theory.retain_loss import norm

SEED = 0
EXAMPLES = 12  # retain examples, drawn with SEED
LANCZOS_STEPS = 10
LANCZOS_TOLERANCE = 0.1  # of the eigenvalue; the bound takes its upper end

Where = Literal["model", "scope"]


def retain_sample(run: Run) -> tuple[Example, ...]:
    """The sample of the retain examples that training saw."""
    pool = build_retain_examples(run.tokenizer, run.sets)
    count = min(EXAMPLES, len(pool))
    drawn = np.random.default_rng(SEED).choice(len(pool), count, replace=False)
    # Examples that share a batch are of similar length, so that little of it is padding.
    return tuple(sorted((pool[i] for i in sorted(drawn)), key=lambda one: len(one.tokens)))


def places(run: Run) -> tuple[Where, Where]:
    """Where it is to be measured: over what the method trains, and over all; these may be one."""
    return ("model" if scope_of(run.config).covers else "scope", "model")


def _before(run: Run, where: Where) -> list[Upstream]:
    located = where == "scope" and scope_of(run.config).on_circuit
    return [(draw, ()), *([(choose_circuit, ())] if located else [])]


def _inputs(run: Run, where: Where) -> Iterable[str]:
    return [scope_of(run.config).name] if where == "scope" else []


def _plugs(run: Run, where: Where) -> list[Path]:
    """A method's file says which weights its scope is, where that is not a circuit's."""
    own = where == "scope" and not scope_of(run.config).on_circuit
    return [plugs("mansu.unlearn.methods")[run.config.method]] if own else []


@stage("sharpness", "shared", after=_before, inputs=_inputs, plugs=_plugs, ending=".json")
def measure_sharpness(run: Run, where: Where) -> Sharpness:
    """‖g‖ and λ_max; Lanczos starts from the gradient, which leans on the steepest directions."""
    linear = linear_weights(run.model)
    names = linear if where == "model" else binned(trainable_weights(run))
    loss = RetainLoss(run.model, retain_sample(run), list(names))
    gradient = loss.gradient()
    release_memory()
    length = norm(gradient)
    weights = sum(tensor.numel() for tensor in gradient.values())
    if not length:  # a minimum; the start is random alone
        next(iter(gradient.values())).fill_(1.0)
    # The gradient is overwritten: over the whole model, another copy would be as large as it.
    found = largest_eigenvalue(
        loss.hessian_vector,
        gradient,
        LANCZOS_STEPS,
        LANCZOS_TOLERANCE,
        run.report(f"guarantees: curvature of the {where}"),
        torch.Generator().manual_seed(SEED),
    )
    return Sharpness(weights, length, found)
