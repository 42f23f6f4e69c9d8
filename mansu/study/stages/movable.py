"""Phase 2, first half: the diagonal Fisher information, and who may move by it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from mansu.errors import RunError
from mansu.study.config import StudyConfig
from mansu.study.run import Run, Stage, once
from mansu.study.stages.draw import draw
from mansu.study.stages.localize import localize
from mansu.unlearn.examples import Example, build_examples
from mansu.unlearn.fisher import Movable, all_movable, diagonal_fisher, most_forgetful, retain_mask
from mansu.unlearn.floor import movable as may_move
from mansu.unlearn.methods import METHODS
from mansu.unlearn.view import View

FISHER_SEED = 0


@dataclass(frozen=True)
class Fisher:
    """Diagonal Fisher information of the circuit's weights, by weight name, in host memory.

    Attributes:
        retain: On the retain set.
        forget: On the forget set.
        key: The stage's key.
    """

    retain: dict[str, torch.Tensor]
    forget: dict[str, torch.Tensor]
    key: str


@once
def trainable_weights(run: Run) -> dict[str, torch.Tensor]:
    """The original matrices that the method trains, by name; shares the model's storage.

    They are the circuit's, or those of all blocks.
    """
    family, module = run.model.family, run.model.module
    if METHODS[run.config.method].scope == "blocks":
        names = family.linear_weight_names(module)
    else:
        layers = localize(run).circuit.layers
        names = [name for layer in layers for name in family.mlp_weight_names(module, layer)]
    return {name: module.get_parameter(name).data for name in names}


def fisher_stage(run: Run) -> tuple[Stage, Path]:
    """The stage of the Fisher information and its file, which is large and rarely needed."""
    circuit = [str(layer) for layer in localize(run).circuit.layers]
    stage = run.stage("fisher", ["fisher_examples"], ["unlearn"], draw(run).key, *circuit)
    return stage, stage.path("fisher", ".safetensors")


def measure_fisher(run: Run) -> Fisher:
    """Diagonal Fisher information on both sets, or the stored one.

    The run does not remember it: it is larger than the circuit and needed once.
    """
    stage, path = fisher_stage(run)
    stored = stage.read_tensors(path)
    if stored is not None:
        parts = {"retain": {}, "forget": {}}
        for name, tensor in stored.tensors.items():
            side, weight = name.split("/", 1)
            parts[side][weight] = tensor
        return Fisher(**parts, key=stage.key)
    weights = trainable_weights(run)
    view = View(run.model, list(weights), min(localize(run).circuit.layers), "fp")
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
    flat = {f"{side}/{name}": f for side, part in sides.items() for name, f in part.items()}
    stage.write_tensors(path, flat)
    return Fisher(sides["retain"], sides["forget"], stage.key)


def find_movable(run: Run) -> Movable:
    """The weights that training may move: by the Fisher mask, or all, as the method has it.

    Raises:
        RunError: There is none.
    """
    if METHODS[run.config.method].scope == "blocks":
        return all_movable(trainable_weights(run))
    found = select_movable(run, measure_fisher(run))
    if not found.count:
        raise RunError(
            f"tau: no weight up to the {run.config.tau:g} quantile of the circuit's retain Fisher "
            "may move without moving its block's scale; raise tau, or choose another circuit."
        )
    return found


def select_movable(run: Run, fisher: Fisher, config: StudyConfig | None = None) -> Movable:
    """The weights that training may move, by the floor's rule.

    Args:
        run: The run whose circuit it is.
        fisher: Fisher information of that circuit.
        config: Gives floor, τ and ρ; by default the run's own.
    """
    config = config or run.config
    weights = trainable_weights(run)
    if config.floor == "in_loop":
        allowed = {name: may_move(weight).cpu() for name, weight in weights.items()}
        mask = retain_mask(fisher.retain, config.tau, allowed)
        return most_forgetful(mask, fisher.forget, fisher.retain, config.rho)
    allowed = {name: torch.ones(w.shape, dtype=torch.bool) for name, w in weights.items()}
    return retain_mask(fisher.retain, config.tau, allowed)


def training_examples(run: Run) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """Forget and retain examples: seen templates only; of the retain set, train facts only."""
    tokenizer = run.model.tokenizer
    forget = build_examples(tokenizer, run.forget.facts, run.forget.seen)
    return forget, build_examples(tokenizer, run.retain.train, run.retain.seen)


def fisher_sample(examples: tuple[Example, ...], count: int) -> tuple[Example, ...]:
    """The examples that the Fisher information is averaged over: at most ``count``, spread out."""
    if len(examples) <= count:
        return examples
    chosen = np.random.default_rng(FISHER_SEED).choice(len(examples), count, replace=False)
    return tuple(examples[i] for i in sorted(chosen))
