"""Multiple-choice accuracy by likelihood, in lm-evaluation-harness' convention.

Each option's continuation is encoded jointly with the prompt; its log-probabilities are summed;
the most likely option is the answer. ``acc`` compares the sums, ``acc_norm`` the sums divided by
the option's length in characters, without the white space in front of it.

One thing differs: where several options are exactly as likely, as happens in 16-bit dtypes, the
harness takes the first. Here each counts as an equal share of an answer, so that their order has no
part in it.

A prompt is run once; its options continue from its cached keys and values.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from transformers import DynamicCache

from mansu.data.encoding import Encoded, encode
from mansu.data.items import Item
from mansu.errors import InputError, RunError
from mansu.metrics.rank import item_accuracy, item_auc
from mansu.models import LanguageModel, pad

# Prompts per forward pass. Fixed, because in low precision the batch size changes scores.
BATCH_PROMPTS = 32


@dataclass(frozen=True)
class McqScores:
    """What a model made of multiple-choice items.

    Attributes:
        log_probs: Summed log-probability of each option, ``[items, options]``, in nats.
        correct: Whether the most likely option is the right one (``acc``): 1 or 0, or a share
            where it is as likely as others, ``[items]``.
        auc: Share of the wrong options below the right one, ties half, ``[items]``.
        correct_norm: The same per character (``acc_norm``), ``[items]``.
        answers: The right option's place, ``[items]``.
        facts: The fact each item asks about.
        templates: The template each item uses.
    """

    log_probs: np.ndarray
    correct: np.ndarray
    correct_norm: np.ndarray
    auc: np.ndarray
    answers: np.ndarray
    facts: tuple[str, ...]
    templates: tuple[str, ...]

    @property
    def accuracy(self) -> float:
        """Share of items answered right (``acc``)."""
        return float(self.correct.mean())

    @property
    def right(self) -> np.ndarray:
        """Log-probability of each item's right option, ``[items]``, in nats."""
        return self.log_probs[np.arange(len(self.answers)), self.answers]

    @property
    def wrong(self) -> np.ndarray:
        """Log-probabilities of the others, ``[items, options - 1]``, in nats."""
        others = np.arange(self.log_probs.shape[1]) != self.answers[:, None]
        return self.log_probs[others].reshape(len(self.answers), -1)


def score_items(
    model: LanguageModel,
    items: Sequence[Item],
    progress: Callable[[int, int], None] | None = None,
) -> McqScores:
    """Scores every option of every item.

    Args:
        model: The model as it is to be judged (wrap it in ``deployed`` to judge its NF4 form).
        items: The questions; all have the same number of options.
        progress: Called with (prompts done, prompts in all).

    Raises:
        InputError: An option leaves no token behind its prompt.
        RunError: A logit is not finite. Argmax over NaN would pick option 0 and a broken model
            would look perfectly forgotten.
    """
    if not items:  # a role that a fact set leaves empty
        nothing = np.empty(0)
        return McqScores(np.empty((0, 0)), nothing, nothing, nothing, np.empty(0, int), (), ())
    encoded = [[encode(model.tokenizer, i.prompt, option) for option in i.options] for i in items]
    flat = [option for row in encoded for option in row]
    for item, row in zip(items, encoded, strict=True):
        if not all(option.continuation_ids for option in row):
            raise InputError(
                f"An option of the fact {item.fact_id!r} tokenizes to nothing after "
                f"{item.prompt!r}; this model cannot be asked for it, so change the option or "
                "choose another model."
            )
    sums = _continuation_log_probs(model, flat, progress)
    log_probs = np.array(sums).reshape(len(items), -1)
    lengths = np.array([[len(option.lstrip()) for option in item.options] for item in items])
    answers = np.array([item.answer for item in items])
    return McqScores(
        log_probs=log_probs,
        correct=item_accuracy(log_probs, answers),
        correct_norm=item_accuracy(log_probs / lengths, answers),
        auc=item_auc(log_probs, answers),
        answers=answers,
        facts=tuple(item.fact_id for item in items),
        templates=tuple(item.template_id for item in items),
    )


def _continuation_log_probs(
    model: LanguageModel,
    encoded: Sequence[Encoded],
    progress: Callable[[int, int], None] | None,
) -> list[float]:
    """Summed log-probability of each continuation after its prompt."""
    asking: dict[tuple[int, ...], list[int]] = {}
    for index, option in enumerate(encoded):
        asking.setdefault(option.prompt_ids, []).append(index)
    sums, done = [0.0] * len(encoded), 0
    for chosen in _batches(model, encoded):
        indices = [asking[prompt] for prompt in chosen]
        with torch.no_grad():
            values = _score_batch(model, chosen, [[encoded[i] for i in row] for row in indices])
        if not np.isfinite(values).all():
            raise RunError(
                "The model's logits are not finite, so no accuracy can be measured; try dtype "
                "float32 if this is the original model, else a lower learning rate."
            )
        for index, value in zip((i for row in indices for i in row), values, strict=True):
            sums[index] = value
        done += len(chosen)
        if progress is not None:
            progress(done, len(asking))
    return sums


def _batches(model: LanguageModel, encoded: Sequence[Encoded]) -> list[list[tuple[int, ...]]]:
    """Prompts that run together, shortest first.

    A sliding window counts places in the cache, padding included. Where the longest prompt with
    anybody's longest option passes the window, only prompts of one length may share a batch, or the
    padding would push tokens out.
    """
    window = getattr(model.config, "sliding_window", None)
    prompts = sorted({o.prompt_ids for o in encoded}, key=lambda prompt: (len(prompt), prompt))
    longest = len(prompts[-1]) + max(len(o.continuation_ids) for o in encoded)
    exact = window is not None and longest > window
    groups = [list(g) for _, g in groupby(prompts, key=len)] if exact else [prompts]
    return [
        group[start : start + BATCH_PROMPTS]
        for group in groups
        for start in range(0, len(group), BATCH_PROMPTS)
    ]


def _score_batch(
    model: LanguageModel, prompts: Sequence[tuple[int, ...]], options: Sequence[Sequence[Encoded]]
) -> list[float]:
    """Scores every option of a batch of prompts, in order."""
    batch, cache = pad(prompts, model.pad_id, model.device), DynamicCache()
    rows = torch.arange(len(prompts), device=model.device)
    first = model.log_probs(model.hidden(batch, cache)[rows, batch.last])  # [prompts, vocabulary]
    # The last token of a continuation is only ever predicted, never read; options that differ in
    # it alone share a row, and most options of one token need none.
    tails = sorted(
        {
            (row, option.continuation_ids[:-1])
            for row, listed in enumerate(options)
            for option in listed
            if len(option.continuation_ids) > 1
        }
    )
    place = {tail: index for index, tail in enumerate(tails)}
    if tails:
        parents = torch.tensor([row for row, _ in tails], device=model.device)
        end = pad([tokens for _, tokens in tails], model.pad_id, model.device)
        cache.batch_select_indices(parents)
        hidden = model.hidden(end.behind(batch.attention_mask[parents]), cache)
        rest = model.log_probs(hidden[end.attention_mask.bool()])  # [tail tokens, vocabulary]
        offsets = [0, *np.cumsum([len(tokens) for _, tokens in tails]).tolist()]
    values = []
    for row, listed in enumerate(options):
        for option in listed:
            value = first[row, option.continuation_ids[0]]
            if len(option.continuation_ids) > 1:
                line = offsets[place[row, option.continuation_ids[:-1]]]
                later = torch.tensor(option.continuation_ids[1:], device=model.device)
                value = value + rest[line : line + len(later)].gather(1, later[:, None]).sum()
            values.append(value)
    return torch.stack(values).tolist()
