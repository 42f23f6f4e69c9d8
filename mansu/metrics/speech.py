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

from mansu.data.encoding import token_ids
from mansu.data.items import Item
from mansu.metrics.greedy import batch_alike, go_on
from mansu.models import LanguageModel

TOKENS = 16


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
    for chosen in batch_alike(prompts):
        first, tokens = go_on(model, [prompts[i] for i in chosen], TOKENS)
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
