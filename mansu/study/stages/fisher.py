"""Phase 2, first half: the diagonal Fisher information, and who may move by it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from mansu.data.examples import Example, build_examples
from mansu.data.wording import taught
from mansu.errors import RunError
from mansu.quant.deployed import linear_weights
from mansu.study.cache.stage import stage
from mansu.study.check import Sets
from mansu.study.config import StudyConfig
from mansu.study.run import Run
from mansu.study.stages.draw import draw
from mansu.study.stages.localize import choose_circuit
from mansu.unlearn.fisher import (
    Movable,
    all_movable,
    diagonal_fisher,
    most_forgetful,
    retain_mask,
    without_negligible,
)
from mansu.unlearn.floor import movable as may_move
from mansu.unlearn.methods import find_method
from mansu.unlearn.view import View

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

FISHER_SEED = 0


@dataclass(frozen=True)
class Fisher:
    """Diagonal Fisher information of the circuit's weights, by weight name, in host memory.

    Attributes:
        retain: On the retain set.
        forget: On the forget set.
    """

    retain: dict[str, torch.Tensor]
    forget: dict[str, torch.Tensor]


def trainable_weights(run: Run) -> dict[str, torch.Tensor]:
    """The original matrices that the method trains, by name; shares the model's storage.

    They are the circuit's, or those of all blocks.
    """
    if find_method(run.config.method).scope == "blocks":
        return linear_weights(run.model)
    return circuit_weights(run)


def circuit_weights(run: Run) -> dict[str, torch.Tensor]:
    """The original matrices of the circuit by name; shares the model's storage."""
    family, module = run.model.family, run.model.module
    layers = choose_circuit(run).layers
    names = [name for layer in layers for name in family.mlp_weight_names(module, layer)]
    return {name: module.get_parameter(name).data for name in names}


@stage(
    "fisher",
    "shared",
    fields=["fisher_examples", "wordings"],
    after=[draw, choose_circuit],
    remember=False,  # it is larger than the circuit and needed once
)
def measure_fisher(run: Run) -> Fisher:
    """Diagonal Fisher information on both sets, or the stored one."""
    weights = circuit_weights(run)
    view = View(run.model, list(weights), min(choose_circuit(run).layers), "fp")
    sides = {
        side: diagonal_fisher(
            view,
            fisher_sample(examples, run.config.fisher_examples),
            weights,
            run.report(f"Fisher, {side}"),
        )
        for side, examples in zip(("forget", "retain"), training_examples(run), strict=True)
    }
    if not all(part.isfinite().all() for side in sides.values() for part in side.values()):
        raise RunError("The Fisher information is not finite in this dtype; choose float32.")
    return Fisher(**sides)


def find_movable(run: Run) -> Movable:
    """The weights that training may move: by the Fisher mask, or all, as the method has it.

    Raises:
        RunError: There is none.
    """
    if find_method(run.config.method).scope == "blocks":
        return all_movable(trainable_weights(run))
    found = select_movable(run, measure_fisher(run))
    if not found.count:
        raise RunError(
            f"tau: no weight up to the {run.config.tau:g} quantile of the circuit's retain Fisher "
            "may move without moving its block's scale; raise tau, or choose another circuit."
        )
    return found


def select_movable(run: Run, fisher: Fisher, config: StudyConfig | None = None) -> Movable:
    """The weights that training may move, by the floor's rule; negligible layers leave it.

    Args:
        run: The run whose circuit it is.
        fisher: Fisher information of that circuit.
        config: Gives floor, τ and ρ; by default the run's own.
    """
    config = config or run.config
    weights = trainable_weights(run)
    if config.floor == "in_loop":
        allowed = {name: may_move(weight, run.codebook).cpu() for name, weight in weights.items()}
        mask = retain_mask(fisher.retain, config.tau, allowed)
        best = most_forgetful(mask, fisher.forget, fisher.retain, config.rho)
        return without_negligible(best)
    allowed = {name: torch.ones(w.shape, dtype=torch.bool) for name, w in weights.items()}
    return without_negligible(retain_mask(fisher.retain, config.tau, allowed))


def training_examples(run: Run) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """Forget and retain examples: seen templates only; of the retain set, train facts only."""
    return build_training_examples(run.tokenizer, run.sets, run.config.wordings)


def build_training_examples(
    tokenizer: "PreTrainedTokenizerBase", sets: Sets, wordings: int
) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """The same of some sets, with that many shortened wordings of each seen forget template."""
    return (
        build_examples(tokenizer, sets.forget.facts, taught(sets.forget, wordings)),
        tuple(e for kept in sets.kept for e in build_examples(tokenizer, kept.train, kept.seen)),
    )


def fisher_sample(examples: tuple[Example, ...], count: int) -> tuple[Example, ...]:
    """The examples that the Fisher information is averaged over: at most ``count``, spread out."""
    if len(examples) <= count:
        return examples
    chosen = np.random.default_rng(FISHER_SEED).choice(len(examples), count, replace=False)
    return tuple(examples[i] for i in sorted(chosen))
