"""The checks of a training: what it forgot, what it kept, and whether it still speaks.

Of questions that are answered in writing, a check does not wait for what would be written: it
reads the right answers to the model (:func:`mansu.metrics.recital.follow`). Their level is then
what θ₀ reaches on passages that it never read, and whether the model still speaks is told by these.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mansu.collections import find_recital
from mansu.metrics.level import Floats, frequency_values
from mansu.metrics.mcq import score_items
from mansu.metrics.rank import item_auc
from mansu.metrics.recital import follow
from mansu.models import LanguageModel
from mansu.models.rereading import Rereading
from mansu.models.swap import swapped
from mansu.quant.deployed import deployed
from mansu.study.run import Run
from mansu.study.stages.draw import draw
from mansu.study.stages.recital import recital_of
from mansu.unlearn.checkpoint import Validation
from mansu.unlearn.task import Trained


@dataclass(frozen=True)
class _Answers:
    """What a check asked a model.

    Attributes:
        forget: Accuracy on the forget set.
        auc: Mean rank among the options, or what stands for it.
        spoken: Log-probabilities of what should not be forgotten, ``[items, options]``.
    """

    forget: float
    auc: float
    spoken: Floats


@dataclass(frozen=True)
class _Base:
    """θ₀ in one format: what it says, and its retain accuracy."""

    spoken: Floats
    retain: float


class _Questions:
    """What a training is checked on."""

    def __init__(self, run: Run) -> None:
        items = draw(run).items
        self.asked, self.kept = items["check_forget"], items["check_retain"]
        self.unread = items.get("twin_seen", ())
        self.recited = bool(find_recital(run.forget))
        self._kept_templates = recital_of(run.sets, "check_retain")
        if not self.recited:
            answers = [item.answer for item in self.asked]
            values = frequency_values(self.asked, run.forget)
            self.level = float(item_auc(values, answers).mean())
        else:
            # Where nobody wrote what a model says of such a text unread, it should recite nothing.
            self.level = follow(run.model, self.unread).shares.mean() if self.unread else 0.0

    def ask(self, model: LanguageModel) -> _Answers:
        """Of the forget set."""
        if not self.recited:
            found = score_items(model, self.asked)
            return _Answers(found.accuracy, float(found.auc.mean()), found.wrong)
        share = float(follow(model, self.asked).shares.mean())
        others = follow(model, self.unread).log_probs[:, None] if self.unread else np.zeros((1, 1))
        return _Answers(share, share, others)

    def keep(self, model: LanguageModel) -> float:
        """Accuracy on the sets that are kept."""
        recited = [item for item in self.kept if item.template_id in self._kept_templates]
        chosen = [item for item in self.kept if item.template_id not in self._kept_templates]
        values = [
            *(score_items(model, chosen).correct if chosen else ()),
            *(follow(model, recited).shares if recited else ()),
        ]
        return float(np.mean(values))


def validator(run: Run, lowest: int) -> Callable[[Trained, int], Validation]:
    """Measures the model with the current circuit weights on seen templates and train facts.

    In every precision trained in; the reference is θ₀ in the same one, measured at the first check.

    Args:
        run: The run.
        lowest: The lowest trained block; what enters it is computed at the first check alone.
    """
    questions = _Questions(run)
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
                    base[precision] = _Base(questions.ask(asking).spoken, questions.keep(keeping))
            asking, keeping = readers[precision]
            # The NF4 model is made from the FP weights, as deployment will make it.
            unlearned = swapped(run.model.module, current.weights["fp"])
            with unlearned, deployed(run.model, precision):
                now = questions.ask(asking.again())
                drops.append(base[precision].retain - questions.keep(keeping.again()))
            forget.append(now.forget)
            aucs.append(now.auc)
            falls.append(float(np.median(base[precision].spoken - now.spoken)))
        furthest = max(aucs, key=lambda auc: abs(auc - questions.level))
        accuracy = sum(forget) / len(forget)
        return Validation(step, accuracy, max(drops), furthest, questions.level, max(falls))

    return validate
