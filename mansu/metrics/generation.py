"""How a model goes on with a prompt: greedily, in whatever state it is. [O]"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from transformers import DynamicCache, PreTrainedTokenizerBase

from mansu.errors import InputError, RunError
from mansu.models import LanguageModel, pad

CANDIDATES = 5


@dataclass(frozen=True)
class Candidate:
    """A token that may come next.

    Attributes:
        text: What it adds to the prompt.
        probability: The model's, in full: over its whole vocabulary.
    """

    text: str
    probability: float


@dataclass(frozen=True)
class Continuation:
    """How a model goes on.

    Attributes:
        tokens: The new tokens; the last one is an end token where the model ended by itself.
        text: What they add to the prompt, special tokens left out.
        candidates: The likeliest first tokens, in falling order.
    """

    tokens: tuple[int, ...]
    text: str
    candidates: tuple[Candidate, ...]


def continue_prompt(
    model: LanguageModel,
    prompt: str,
    tokens: int,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Continuation:
    """Goes on with a prompt, the likeliest token at each step, with the model as it is.

    Args:
        model: The model.
        prompt: The text before; white space at its end is left out, as wherever prompts are asked.
        tokens: New tokens at most; an end token ends earlier.
        report: Told of (done, total) before each token.

    Raises:
        InputError: The prompt is empty, or longer than the model can read.
        RunError: A logit is not finite.
    """
    prompt_ids = read_prompt(model, prompt, tokens)
    ends = end_tokens(model)
    found: list[int] = []
    candidates: tuple[Candidate, ...] = ()
    cache, batch = DynamicCache(), pad([prompt_ids], model.pad_id, model.device)
    while len(found) < tokens and not (found and found[-1] in ends):
        report(len(found), tokens)
        with torch.no_grad():
            logits = model.family.logits(model.module, model.hidden(batch, cache)[0, -1])
        if not logits.isfinite().all():
            raise RunError(
                "The model's next-token logits are not finite, so it cannot go on; type another "
                "prompt, or choose dtype float32."
            )
        if not found:
            candidates = _likeliest(model.tokenizer, prompt_ids, logits)
        found.append(int(logits.argmax()))
        batch = pad([found[-1:]], model.pad_id, model.device).behind(batch.attention_mask)
    return Continuation(tuple(found), _added(model.tokenizer, prompt_ids, found), candidates)


def read_prompt(model: LanguageModel, prompt: str, tokens: int) -> tuple[int, ...]:
    """The prompt's token ids.

    Raises:
        InputError: It is empty or not the model's to read, or with ``tokens`` more it is longer
            than the model can read.
    """
    if not prompt.strip():
        raise InputError("The prompt is empty; type the beginning of a sentence.")
    ids, most = model.read(prompt.rstrip()), model.context
    if most is not None and len(ids) + tokens > most:
        raise InputError(
            f"The prompt has {len(ids):,} tokens and {tokens} are to follow, but {model.name} "
            f"reads {most:,} at most; shorten the prompt."
        )
    return ids


def end_tokens(model: LanguageModel) -> set[int]:
    """The tokens with which the model ends a text."""
    settings = model.module.generation_config
    ends = None if settings is None else settings.eos_token_id
    return set() if ends is None else {ends} if isinstance(ends, int) else set(ends)  # pyright: ignore


def _likeliest(
    tokenizer: PreTrainedTokenizerBase, prompt_ids: Sequence[int], logits: torch.Tensor
) -> tuple[Candidate, ...]:
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
    values, tokens = wide.softmax(-1).topk(min(CANDIDATES, wide.numel()))
    return tuple(
        Candidate(_added(tokenizer, prompt_ids, [token], special=True), value)
        for token, value in zip(tokens.tolist(), values.tolist(), strict=True)
    )


def _added(
    tokenizer: PreTrainedTokenizerBase,
    prompt_ids: Sequence[int],
    new: Sequence[int],
    special: bool = False,
) -> str:
    """What new tokens add to the prompt's text: some tokenizers drop a text's leading space."""

    def decode(ids: Sequence[int]) -> str:
        return str(tokenizer.decode(list(ids), skip_special_tokens=not special))

    before, whole = decode(prompt_ids), decode([*prompt_ids, *new])
    return whole[len(before) :] if whole.startswith(before) else decode(new)
