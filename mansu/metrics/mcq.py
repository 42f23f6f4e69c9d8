"""Multiple-choice accuracy by likelihood, in lm-evaluation-harness' convention.

Each option's continuation is encoded jointly with the prompt; its log-probabilities are summed;
the most likely option is the answer. ``acc`` compares the sums, ``acc_norm`` the sums divided by
the option's length in characters, without the white space in front of it.

One thing differs: where several options are exactly as likely, as happens in 16-bit dtypes, the
harness takes the first. Here each counts as an equal share of an answer, so that their order has no
part in it.

A prompt is run once, what prompts begin with alike once for all of them (``batching.py``); options
continue from their prompt's cached keys and values.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from transformers import DynamicCache

from mansu.data.encoding import Encoded, encode
from mansu.data.items import Item
from mansu.errors import InputError, RunError
from mansu.metrics.batching import Prompts, batch_prompts, batch_tails
from mansu.metrics.rank import item_accuracy, item_auc
from mansu.models import Batch, LanguageModel, pad


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
    for chosen in prompt_batches(model, encoded):
        indices = [asking[prompt] for prompt in chosen.tokens]
        with torch.no_grad():
            values = _score_batch(model, chosen, [[encoded[i] for i in row] for row in indices])
        if not np.isfinite(values).all():
            raise RunError(
                "The model's logits are not finite, so no accuracy can be measured; try dtype "
                "float32 if this is the original model, else a lower learning rate."
            )
        for index, value in zip((i for row in indices for i in row), values, strict=True):
            sums[index] = value
        done += len(chosen.tokens)
        if progress is not None:
            progress(done, len(asking))
    return sums


def prompt_batches(model: LanguageModel, encoded: Sequence[Encoded]) -> list[Prompts]:
    """Prompts that run together.

    A sliding window counts places in the cache, padding included. Where the longest prompt with
    anybody's longest option passes the window, only prompts of one length may share a batch, or the
    padding would push tokens out.
    """
    window = getattr(model.config, "sliding_window", None)
    prompts = {option.prompt_ids for option in encoded}
    longest = max(map(len, prompts)) + max(len(o.continuation_ids) for o in encoded)
    return batch_prompts(prompts, exact=window is not None and longest > window)


def _score_batch(
    model: LanguageModel, prompts: Prompts, options: Sequence[Sequence[Encoded]]
) -> list[float]:
    """Scores every option of a batch of prompts, in order."""
    batch, cache = _begin(model, prompts)
    rows = torch.arange(len(prompts.tokens), device=model.device)
    first = model.log_probs(model.hidden(batch, cache)[rows, batch.last])  # [prompts, vocabulary]
    # The last token of a continuation is only ever predicted, never read; options that differ in
    # it alone share a row, and most options of one token need none.
    asking: dict[tuple[int, tuple[int, ...]], list[tuple[int, int]]] = {}
    values = first.new_zeros(len(options), max(map(len, options)))  # [prompts, options]
    for row, listed in enumerate(options):
        for column, option in enumerate(listed):
            values[row, column] = first[row, option.continuation_ids[0]]
            if len(option.continuation_ids) > 1:
                tail = (row, option.continuation_ids[:-1])
                asking.setdefault(tail, []).append((row, column))
    groups = batch_tails(asking)
    for group in groups:
        parents = torch.tensor([row for row, _ in group], device=model.device)
        end = pad([tokens for _, tokens in group], model.pad_id, model.device)
        own = cache if group is groups[-1] else copy.deepcopy(cache)
        own.batch_select_indices(parents)
        hidden = model.hidden(end.behind(batch.attention_mask[parents]), own)
        rest = model.log_probs(hidden[end.attention_mask.bool()])  # [tail tokens, vocabulary]
        line = 0
        for tail in group:
            lines = torch.arange(line, line + len(tail[1]), device=model.device)
            for row, column in asking[tail]:
                later = options[row][column].continuation_ids[1:]
                values[row, column] += rest[lines, torch.tensor(later, device=model.device)].sum()
            line += len(tail[1])
    found = zip(values.tolist(), options, strict=True)
    return [value for row, listed in found for value in row[: len(listed)]]


def _begin(model: LanguageModel, prompts: Prompts) -> tuple[Batch, DynamicCache]:
    """The prompts behind what they share, and the cache that holds that for each of them."""
    cache, count = DynamicCache(), len(prompts.tokens)
    batch = pad([p[prompts.shared :] for p in prompts.tokens], model.pad_id, model.device)
    if not prompts.shared:
        return batch, cache
    head = pad([prompts.tokens[0][: prompts.shared]], model.pad_id, model.device)
    model.hidden(head, cache)
    cache.batch_repeat_interleave(count)
    return batch.behind(head.attention_mask.expand(count, -1)), cache
