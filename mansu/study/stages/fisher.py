"""Phase 2, first half: what a method trains, on what, and the diagonal Fisher information of it."""

from typing import TYPE_CHECKING

import numpy as np
import torch

from mansu.data.examples import Example, build_examples
from mansu.data.wording import taught
from mansu.errors import RunError
from mansu.models.names import layer_of
from mansu.study.cache.stage import Upstream, stage
from mansu.study.check import Sets
from mansu.study.config import StudyConfig
from mansu.study.run import Run
from mansu.study.stages.draw import draw
from mansu.study.stages.localize import choose_circuit
from mansu.unlearn.fisher import Fisher, diagonal_fisher
from mansu.unlearn.methods import find_method
from mansu.unlearn.methods.base import Scope
from mansu.unlearn.view import View

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

FISHER_SEED = 0


def scope_of(config: StudyConfig) -> Scope:
    """Which matrices a configuration's method trains."""
    return find_method(config.method).scope(config.settings)


def trainable_weights(run: Run) -> dict[str, torch.Tensor]:
    """The original matrices of the method's scope, by name; shares the model's storage."""
    scope, module = scope_of(run.config), run.model.module
    layers = choose_circuit(run).layers if scope.on_circuit else ()
    names = scope.names(run.model, layers)
    return {name: module.get_parameter(name).data for name in names}


def _before(run: Run) -> list[Upstream]:
    located = [(choose_circuit, ())] if scope_of(run.config).on_circuit else []
    return [(draw, ()), *located]


@stage(
    "fisher",
    "shared",
    fields=["fisher_examples", "wordings"],
    after=_before,
    inputs=lambda run: [scope_of(run.config).name],
    remember=False,  # it is as large as what is trained, and needed once
)
def measure_fisher(run: Run) -> Fisher:
    """Diagonal Fisher information of the trainable weights on both sets, or the stored one."""
    weights = trainable_weights(run)
    view = View(run.model, list(weights), min(map(layer_of, weights)), "fp")
    sides = {
        side: diagonal_fisher(
            view,
            fisher_sample(examples, run.config.settings.fisher_examples),
            weights,
            run.report(f"Fisher, {side}"),
        )
        for side, examples in zip(("forget", "retain"), training_examples(run), strict=True)
    }
    if not all(part.isfinite().all() for side in sides.values() for part in side.values()):
        raise RunError("The Fisher information is not finite in this dtype; choose float32.")
    return Fisher(**sides)


def training_examples(run: Run) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """Forget and retain examples: seen templates only; of the retain set, train facts only."""
    return build_training_examples(run.tokenizer, run.sets, run.config.settings.wordings)


def build_training_examples(
    tokenizer: "PreTrainedTokenizerBase", sets: Sets, wordings: int
) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """The same of some sets, with that many shortened wordings of each seen forget template."""
    forget = build_examples(tokenizer, sets.forget.facts, taught(sets.forget, wordings))
    return forget, build_retain_examples(tokenizer, sets)


def build_retain_examples(tokenizer: "PreTrainedTokenizerBase", sets: Sets) -> tuple[Example, ...]:
    """The second of the two, which no setting changes."""
    return tuple(
        example
        for kept in sets.kept
        for example in build_examples(tokenizer, kept.train, kept.seen)
    )


def fisher_sample(examples: tuple[Example, ...], count: int) -> tuple[Example, ...]:
    """The examples that the Fisher information is averaged over: at most ``count``, spread out."""
    if len(examples) <= count:
        return examples
    chosen = np.random.default_rng(FISHER_SEED).choice(len(examples), count, replace=False)
    return tuple(examples[i] for i in sorted(chosen))
