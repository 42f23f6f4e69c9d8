"""Many prompts continued at once, the likeliest token at each step. [O]"""

from collections.abc import Callable, Sequence

import torch
from transformers import DynamicCache

from mansu.errors import RunError
from mansu.metrics.generation import end_tokens
from mansu.models import LanguageModel, pad

BATCH_PROMPTS = 32


def batch_alike(prompts: Sequence[Sequence[int]]) -> list[list[int]]:
    """Places of prompts that run together: those of one length alone.

    So no padding stands between a prompt and what follows it.
    """
    batches: list[list[int]] = []
    for index in sorted(range(len(prompts)), key=lambda i: len(prompts[i])):
        last = batches[-1] if batches else []
        if last and len(last) < BATCH_PROMPTS and len(prompts[last[0]]) == len(prompts[index]):
            last.append(index)
        else:
            batches.append([index])
    return batches


def go_on(
    model: LanguageModel, prompts: Sequence[Sequence[int]], tokens: int
) -> tuple[torch.Tensor, list[list[int]]]:
    """Continues prompts of one length.

    Args:
        model: The model as it is to be judged.
        prompts: Token ids, as many of each.
        tokens: New tokens at most; an end token ends earlier.

    Returns:
        Log-probabilities of the first new token, ``[prompts, vocabulary]``, and the new tokens of
        each prompt, without the end token.

    Raises:
        RunError: A logit is not finite.
    """
    cache, batch = DynamicCache(), pad(prompts, model.pad_id, model.device)
    ends, found = end_tokens(model), torch.empty(len(prompts), 0, dtype=torch.long)
    first, over = torch.empty(0), [False] * len(prompts)
    with torch.no_grad():
        for step in range(tokens):
            log_probs = model.log_probs(model.hidden(batch, cache)[:, -1])
            if not log_probs.isfinite().all():
                raise RunError(
                    "The model's next-token logits are not finite, so it cannot be asked; choose "
                    "dtype float32 if this is the original model, else a lower learning rate."
                )
            first = log_probs if step == 0 else first
            best = log_probs.argmax(-1)
            found = torch.cat([found, best[:, None].cpu()], 1)
            over = [was or token in ends for was, token in zip(over, best.tolist(), strict=True)]
            if all(over):
                break
            batch = pad(best[:, None].tolist(), model.pad_id, model.device).behind(
                batch.attention_mask
            )
    return first, [_until_end(row, ends) for row in found.tolist()]


def go_on_all(
    model: LanguageModel,
    prompts: Sequence[Sequence[int]],
    tokens: int,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> list[str]:
    """What follows each of some prompts of any length, without special tokens.

    Args:
        model: The model as it is to be judged.
        prompts: Token ids of each.
        tokens: New tokens at most.
        report: Told of (prompts done, prompts in all).

    Raises:
        RunError: A logit is not finite.
    """
    new: list[list[int]] = [[] for _ in prompts]
    done = 0
    for chosen in batch_alike(prompts):
        _, found = go_on(model, [prompts[i] for i in chosen], tokens)
        for place, one in zip(chosen, found, strict=True):
            new[place] = one
        done += len(chosen)
        report(done, len(prompts))
    return [str(model.tokenizer.decode(one, skip_special_tokens=True)) for one in new]


def _until_end(tokens: list[int], ends: set[int]) -> list[int]:
    place = next((i for i, token in enumerate(tokens) if token in ends), len(tokens))
    return tokens[:place]
