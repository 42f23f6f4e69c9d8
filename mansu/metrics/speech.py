"""What a model says when asked, beside which option it prefers: whether it still speaks. [O]

Accuracy is an argmax over options that a model might never say. So the forget set's prompts are
also put to it openly: how much it expects an answer of the right kind, how much what it expects
depends on the subject, and what it goes on with.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from transformers import DynamicCache

from mansu.data.encoding import token_ids
from mansu.data.items import Item
from mansu.errors import RunError
from mansu.metrics.generation import end_tokens
from mansu.models import LanguageModel, pad

TOKENS = 16
BATCH_PROMPTS = 32


@dataclass(frozen=True)
class Speech:
    """Open answers to prompts.

    Attributes:
        kind: Probability that the first token begins an answer or distractor of the set,
            ``[prompts]``.
        degenerate: Whether the continuation says nothing (:func:`is_degenerate`), ``[prompts]``.
        dependence: Mean KL(p(·|t(s)) ‖ mean over s) in nats, by template, over its prompts.
        kind_entropy: Entropy of the mean distribution among the kinds, in nats, by template: near
            0 where one constant answer is given to all.
        texts: The continuations.
        facts: The fact that each prompt asks for.
        templates: The template that each uses.
    """

    kind: np.ndarray
    degenerate: np.ndarray
    dependence: dict[str, float]
    kind_entropy: dict[str, float]
    texts: tuple[str, ...]
    facts: tuple[str, ...]
    templates: tuple[str, ...]


class _Means:
    """Running means over one template's prompts, ``[vocabulary]``."""

    def __init__(self, kinds: torch.Tensor) -> None:
        self.kinds = kinds
        self.total = torch.zeros((), dtype=torch.float64)
        self.entropy = 0.0
        self.count = 0

    def add(self, log_probs: torch.Tensor) -> None:
        p = log_probs.double().exp()
        self.entropy += float(torch.special.entr(p).sum())
        self.total = self.total + p
        self.count += 1

    @property
    def mean(self) -> torch.Tensor:
        return self.total / self.count

    @property
    def dependence(self) -> float:
        """The mean KL is the entropy of the mean less the mean entropy."""
        whole = float(torch.special.entr(self.mean).sum())
        return max(whole - self.entropy / self.count, 0.0)

    @property
    def kind_entropy(self) -> float:
        among = self.mean[self.kinds]
        return float(torch.special.entr(among / among.sum()).sum())


def listen(
    model: LanguageModel,
    items: Sequence[Item],
    kinds: Mapping[str, Sequence[int]],
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Speech:
    """Puts prompts to a model and lets it go on with each, greedily, for 16 tokens.

    Args:
        model: The model as it is to be judged.
        items: Questions, of which the prompts alone are used.
        kinds: First tokens of all answers and distractors of the set, by template.
        report: Told of (prompts done, prompts in all).

    Raises:
        RunError: A logit is not finite.
    """
    prompts = [token_ids(model.tokenizer, item.prompt.rstrip()) for item in items]
    allowed = {t: torch.tensor(list(k), device=model.device) for t, k in kinds.items()}
    means = {template: _Means(tokens) for template, tokens in allowed.items()}
    kind, new = np.zeros(len(items)), [[] for _ in items]
    # Prompts of one length alone, so that no padding stands between a prompt and what follows it.
    order = sorted(range(len(items)), key=lambda i: len(prompts[i]))
    for chosen in _batches(order, prompts):
        first, tokens = _go_on(model, [prompts[i] for i in chosen])
        for row, i in enumerate(chosen):
            template = items[i].template_id
            means[template].add(first[row])
            kind[i] = first[row, allowed[template]].exp().sum().item()
            new[i] = tokens[row]
        report(sum(map(bool, new)), len(items))
    texts = [str(model.tokenizer.decode(tokens, skip_special_tokens=True)) for tokens in new]
    silent = [is_degenerate(t, text) for t, text in zip(new, texts, strict=True)]
    asked = {t: m for t, m in means.items() if m.count}
    return Speech(
        kind=kind,
        degenerate=np.array(silent, dtype=float),
        dependence={template: found.dependence for template, found in asked.items()},
        kind_entropy={template: found.kind_entropy for template, found in asked.items()},
        texts=tuple(texts),
        facts=tuple(item.fact_id for item in items),
        templates=tuple(item.template_id for item in items),
    )


def is_degenerate(tokens: Sequence[int], text: str) -> bool:
    """Whether a continuation says nothing.

    It has no letter and no digit, or one run of 1 to 3 tokens, repeated, fills more than half.
    """
    if not any(character.isalnum() for character in text):
        return True
    for n in (1, 2, 3):
        runs = [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]
        run, times = Counter(runs).most_common(1)[0] if runs else ((), 0)
        filled = {place + k for place, r in enumerate(runs) if r == run for k in range(n)}
        if times > 2 and 2 * len(filled) > len(tokens):
            return True
    return False


def _batches(order: Sequence[int], prompts: Sequence[Sequence[int]]) -> list[list[int]]:
    batches: list[list[int]] = []
    for index in order:
        last = batches[-1] if batches else []
        if last and len(last) < BATCH_PROMPTS and len(prompts[last[0]]) == len(prompts[index]):
            last.append(index)
        else:
            batches.append([index])
    return batches


def _go_on(
    model: LanguageModel, prompts: Sequence[Sequence[int]]
) -> tuple[torch.Tensor, list[list[int]]]:
    """First next-token log-probabilities ``[prompts, vocabulary]``, and the greedy tokens."""
    cache, batch = DynamicCache(), pad(prompts, model.pad_id, model.device)
    ends, found = end_tokens(model), torch.empty(len(prompts), 0, dtype=torch.long)
    first = torch.empty(0)
    with torch.no_grad():
        for step in range(TOKENS):
            log_probs = model.log_probs(model.hidden(batch, cache)[:, -1])
            if not log_probs.isfinite().all():
                raise RunError(
                    "The model's next-token logits are not finite, so it cannot be asked; choose "
                    "dtype float32 if this is the original model, else a lower learning rate."
                )
            first = log_probs if step == 0 else first
            best = log_probs.argmax(-1)
            found = torch.cat([found, best[:, None].cpu()], 1)
            batch = pad(best[:, None].tolist(), model.pad_id, model.device).behind(
                batch.attention_mask
            )
    return first, [_until_end(row, ends) for row in found.tolist()]


def _until_end(tokens: list[int], ends: set[int]) -> list[int]:
    place = next((i for i, token in enumerate(tokens) if token in ends), len(tokens))
    return tokens[:place]
