"""Training's checks against figures made by hand."""

import numpy as np
import pytest
import torch

from mansu.metrics.mcq import score_items
from mansu.models.names import layer_of
from mansu.models.swap import swapped
from mansu.quant.codebook import NF4
from mansu.quant.deployed import deployed
from mansu.study.stages import draw
from mansu.study.stages.checks import validator
from mansu.study.stages.fisher import trainable_weights
from mansu.unlearn.in_loop import InLoopLatents
from mansu.unlearn.mask import Movable


@pytest.fixture(scope="module")
def noisy(finished_run) -> InLoopLatents:
    """The circuit with half of its weights a bin or so away."""
    weights = trainable_weights(finished_run)
    movable = Movable({n: torch.arange(0, w.numel(), 2) for n, w in weights.items()}, 0.0)
    latents = InLoopLatents(weights, movable, NF4)
    torch.manual_seed(0)
    latents.values += 0.3 * torch.randn_like(latents.values) * latents.absmax
    latents.clamp()
    latents.write()
    return latents


def test_a_check_compares_every_precision_with_the_original_in_the_same_one(finished_run, noisy):
    items, model = draw(finished_run).items, finished_run.model
    validate = validator(finished_run, min(map(layer_of, noisy.weights["fp"])))
    found = validate(noisy, 7)
    assert validate(noisy, 7) == found  # what was kept of the first check is right
    aucs, falls, drops, accuracies = [], [], [], []
    for precision in ("fp", "nf4"):
        with deployed(model, precision):
            was = score_items(model, items["check_forget"])
            kept = score_items(model, items["check_retain"]).accuracy
        with swapped(model.module, noisy.weights["fp"]), deployed(model, precision):
            now = score_items(model, items["check_forget"])
            drops.append(kept - score_items(model, items["check_retain"]).accuracy)
        accuracies.append(now.accuracy)
        below, fallen = [], []
        for item, before, after in zip(
            items["check_forget"], was.log_probs, now.log_probs, strict=True
        ):
            wrong = [i for i in range(len(after)) if i != item.answer]
            below += [float(after[i] < after[item.answer]) for i in wrong]
            fallen += [before[i] - after[i] for i in wrong]
        aucs.append(np.mean(below))
        falls.append(np.median(fallen))
    assert found.step == 7
    assert found.forget == pytest.approx(np.mean(accuracies))
    assert found.retain_drop == pytest.approx(max(drops))
    assert found.level == pytest.approx(0.5)  # every answer of the set is one subject's
    assert found.auc == pytest.approx(max(aucs, key=lambda auc: abs(auc - 0.5)))
    assert found.fall == pytest.approx(max(falls))
    assert falls[0] != falls[1]
