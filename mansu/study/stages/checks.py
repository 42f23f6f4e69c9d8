"""The checks of a training: what it forgot, what it kept, and whether it still speaks."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mansu.metrics.level import Floats, frequency_values
from mansu.metrics.mcq import score_items
from mansu.metrics.rank import item_auc
from mansu.models.rereading import Rereading
from mansu.models.swap import swapped
from mansu.quant.deployed import deployed
from mansu.study.run import Run
from mansu.study.stages.draw import draw
from mansu.unlearn.checkpoint import Validation
from mansu.unlearn.task import Trained


@dataclass(frozen=True)
class _Base:
    """θ₀ in one format: log-probabilities of the forget items' wrong options, retain accuracy."""

    wrong: Floats  # [items, options - 1]
    retain: float


def validator(run: Run, lowest: int) -> Callable[[Trained, int], Validation]:
    """Measures the model with the current circuit weights on seen templates and train facts.

    In every precision trained in; the reference is θ₀ in the same one, measured at the first check.

    Args:
        run: The run.
        lowest: The lowest trained block; what enters it is computed at the first check alone.
    """
    items = draw(run).items
    asked, kept = items["check_forget"], items["check_retain"]
    answers = [item.answer for item in asked]
    level = float(item_auc(frequency_values(asked, run.forget), answers).mean())
    base: dict[str, _Base] = {}
    readers: dict[str, tuple[Rereading, Rereading]] = {}

    def validate(current: Trained, step: int) -> Validation:
        forget, aucs, falls, drops = [], [], [], []
        for precision in current.precisions:
            if precision not in base:
                readers[precision] = (
                    Rereading.of(run.model, lowest),
                    Rereading.of(run.model, lowest),
                )
                asking, keeping = readers[precision]
                with deployed(run.model, precision):
                    was = score_items(asking, asked).wrong
                    base[precision] = _Base(was, score_items(keeping, kept).accuracy)
            asking, keeping = readers[precision]
            # The NF4 model is made from the FP weights, as deployment will make it.
            unlearned = swapped(run.model.module, current.weights["fp"])
            with unlearned, deployed(run.model, precision):
                now = score_items(asking.again(), asked)
                drops.append(base[precision].retain - score_items(keeping.again(), kept).accuracy)
            forget.append(now.accuracy)
            aucs.append(float(now.auc.mean()))
            falls.append(float(np.median(base[precision].wrong - now.wrong)))
        furthest = max(aucs, key=lambda auc: abs(auc - level))
        accuracy = sum(forget) / len(forget)
        return Validation(step, accuracy, max(drops), furthest, level, max(falls))

    return validate
