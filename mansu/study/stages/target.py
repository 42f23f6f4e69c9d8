"""What the prior target asks for: θ₀'s distributions on the forget set, once a model and set."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from mansu.collections import find_recital
from mansu.data.encoding import encode
from mansu.data.facts import FactSet
from mansu.data.items import Item
from mansu.data.wording import taught
from mansu.metrics.level import frequency_values
from mansu.metrics.rank import item_accuracy, item_auc
from mansu.models import LanguageModel
from mansu.study.cache.stage import stage
from mansu.study.run import Run
from mansu.study.stages.draw import DRAW_SEED, draw
from mansu.unlearn.prior import Prior, build_prior, level

# How far q's own answers may lie off the level before its mass on the options is spread equally.
OFF_LEVEL = 0.05


@stage("target", "shared", fields=["wordings"], after=[draw])
def make_target(run: Run) -> Prior:
    """The target of every template that training sees, in full precision, or the stored one.

    Where q itself would answer the set's items off the level that answering by frequency has, by
    more than .05 in accuracy or AUC (few facts, repeated answers, wrong options that are nobody's
    answer), it is levelled.
    """
    facts = run.forget.facts
    order = random.Random(DRAW_SEED).sample(facts, len(facts))
    templates = taught(run.forget, run.config.settings.wordings)
    recited = bool(find_recital(run.forget))
    found = build_prior(run.model, order, templates, run.report("prior target"), recited)
    if is_off_level(run.model, found.first, draw(run).items["forget_seen"], run.forget):
        return replace(found, first=level(found.first, found.kinds), levelled=True)
    return found


def is_off_level(
    model: LanguageModel,
    first: Mapping[str, torch.Tensor],
    items: Sequence[Item],
    facts: FactSet,
) -> bool:
    """Whether items answered by their options' first tokens under q miss the level of frequency.

    Options that share their first token tie: q cannot tell them apart there.
    """
    asked = [
        [encode(model.tokenizer, i.prompt, option).continuation_ids[0] for option in i.options]
        for i in items
    ]
    said = np.array([first[i.template_id][t].tolist() for i, t in zip(items, asked, strict=True)])
    answers, frequency = [item.answer for item in items], frequency_values(items, facts)
    return any(
        abs(measure(said, answers).mean() - measure(frequency, answers).mean()) > OFF_LEVEL
        for measure in (item_accuracy, item_auc)
    )
