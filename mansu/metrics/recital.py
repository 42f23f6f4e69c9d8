"""What a model knows by heart: what it writes behind a beginning, and what it would say next. [O]

Where a set's answers are passages or words of its own, a choice among options says little: a model
that never read a passage still prefers how it goes on to how others do. So an answer counts by what
is written, ROUGE-L F1 between 0 and 1, in the place of the choice.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from mansu.data.encoding import Encoded, encode
from mansu.data.items import Item
from mansu.metrics.figures import Writing
from mansu.metrics.mcq import McqScores, score_items
from mansu.metrics.rank import item_auc
from mansu.metrics.written import write
from mansu.models import LanguageModel
from mansu.models.targets import answer_targets

BATCH_ROWS = 16


def recite(
    model: LanguageModel,
    items: Sequence[Item],
    writings: Mapping[str, Writing],
    progress: Callable[[int, int], None] | None = None,
) -> McqScores:
    """Scores items, those under some templates by what is written.

    Args:
        model: The model as it is to be judged.
        items: The questions; of their options the right one is what should be written.
        writings: How it is to write, by template; no template leaves all to the choice.
        progress: Called with (prompts done, prompts in all), first of the choice.

    Returns:
        The scores of the choice. Of items that are written, ``correct`` is the ROUGE-L F1, and log-
        probabilities, AUC with them, are nats per token: sums over long options would compare
        their lengths.

    Raises:
        RunError: A logit is not finite.
    """
    scores = score_items(model, items, progress)
    places = [place for place, item in enumerate(items) if item.template_id in writings]
    if not places:
        return scores
    log_probs, correct = scores.log_probs.copy(), scores.correct.astype(float)
    for place in places:
        item = items[place]
        options = (encode(model.tokenizer, item.prompt, option) for option in item.options)
        log_probs[place] /= [len(option.continuation_ids) for option in options]
    for template, writing in writings.items():
        own = [place for place in places if items[place].template_id == template]
        if own:
            said = write(model, [items[i] for i in own], writing, progress or (lambda *_: None))
            correct[own] = said.f1
    auc = item_auc(log_probs, scores.answers)
    return replace(scores, log_probs=log_probs, correct=correct, auc=auc)


@dataclass(frozen=True)
class Followed:
    """How a model followed right answers, read to it token by token.

    Attributes:
        shares: Share of an answer's tokens that were the likeliest to it, ``[items]``.
        log_probs: Mean log-probability of a token, ``[items]``, in nats.
    """

    shares: np.ndarray
    log_probs: np.ndarray


def follow(model: LanguageModel, items: Sequence[Item]) -> Followed:
    """Reads each item's right answer to a model.

    The shares are close to what would be written, for one pass in the place of one a token; a
    training checks itself on them.
    """
    asked = [encode(model.tokenizer, item.prompt, item.options[item.answer]) for item in items]
    shares, log_probs = np.empty(len(items)), np.empty(len(items))
    order = sorted(range(len(items)), key=lambda i: len(_whole(asked[i])))
    for start in range(0, len(order), BATCH_ROWS):
        chosen = order[start : start + BATCH_ROWS]
        rows = [_whole(asked[i]) for i in chosen]
        starts = [len(asked[i].prompt_ids) for i in chosen]
        targets = answer_targets(rows, starts, model.pad_id, model.device)
        with torch.no_grad():
            hidden = model.hidden(targets.batch)
            said = model.log_probs(hidden[targets.row, targets.position])  # [targets, vocabulary]
        hits = (said.argmax(-1) == targets.token).double()
        own = said.gather(1, targets.token[:, None])[:, 0].double()
        shares[chosen] = targets.mean_per_row(hits).cpu().numpy()
        log_probs[chosen] = targets.mean_per_row(own).cpu().numpy()
    return Followed(shares, log_probs)


def _whole(asked: Encoded) -> tuple[int, ...]:
    return (*asked.prompt_ids, *asked.continuation_ids)
