"""Unlearning depth: from which layers a fact is gone, as far as not knowing it would take it [O].

After UDS (arXiv 2605.24614), from the drops of `mansu.circuit.depth`. Drop 1 is what the answer
loses when a layer's stream is that of the corrupted prompt, which stands in for a model that never
knew; drop 2, when it is that of the judged model on the clean prompt. Layers whose drop 1 exceeds
`CARRIES` carry the fact, and each scores drop 2 / drop 1, clipped to 0 … 1. A fact's depth is the
mean of its layers' scores weighted by drop 1: 0 intact, 1 as deep as not knowing. A fact asked
through several prompts has the layers of all of them. Facts that no layer carries say nothing and
are left out, and counted.

Measured on tiny-llama, the plain form misjudges both ends. The corrupted prompt knows another
answer and all but excludes this one, so that a model which knows the form and not the fact reaches
0.44, and a model whose last block alone was driven against the answers 0.69: its excess counts, and
the last block has most of the weight. Hence the **capped** form beside it: a fall beyond saying a
random one of the set's answers is no deeper, so both drops end there. The same models: 0.90 and
0.52.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from mansu.errors import InputError
from mansu.metrics.significance import SEED, Estimate, accuracy_interval

CARRIES = 0.05  # nats


@dataclass(frozen=True)
class Depth:
    """How deep a set of facts was unlearned.

    Attributes:
        mean: Over the facts that a layer carries, with its interval; None if there are none.
        facts: The facts, in order of appearance.
        by_fact: Each one's depth, NaN where no layer carries it, ``[facts]``.
        scores: Each layer's score, NaN where it does not carry the fact, ``[facts, layers]``.
    """

    mean: Estimate | None
    facts: tuple[str, ...]
    by_fact: np.ndarray
    scores: np.ndarray

    @property
    def left_out(self) -> int:
        """Number of facts that no layer carries."""
        return int(np.isnan(self.by_fact).sum())


def unlearning_depth(
    known: torch.Tensor,
    drops: torch.Tensor,
    facts: Sequence[str],
    most: torch.Tensor | None = None,
    seed: int = SEED,
) -> Depth:
    """Depth of every fact and its mean.

    Args:
        known: Drop 1, ``[prompts, layers]``, in nats.
        drops: Drop 2 on the same prompts, ``[prompts, layers]``, in nats.
        facts: Each prompt's fact.
        most: Where the drops of each prompt end in the capped form, ``[prompts]``, in nats.
        seed: Of the bootstrap, which resamples facts.

    Raises:
        InputError: The drops are of other prompts or layers, or not finite.
    """
    one, two = known.double().numpy(), drops.double().numpy()
    if one.shape != two.shape or len(one) != len(facts):
        raise InputError("Depth compares drops of one model on the same prompts; these differ.")
    if not (np.isfinite(one).all() and np.isfinite(two).all()):
        raise InputError("A drop of a log-probability is not finite, so depth is undefined.")
    if most is not None:
        one = np.minimum(one, most.double().numpy()[:, None])
    weight = np.where(one > CARRIES, one, 0)  # [prompts, layers]
    gone = np.clip(two, 0, weight)  # score · drop 1
    names = tuple(dict.fromkeys(facts))
    member = np.array(names)[:, None] == np.array(facts)  # [facts, prompts]
    weight, gone = member @ weight, member @ gone  # [facts, layers]
    by_fact = _ratio(gone.sum(1), weight.sum(1))
    told = np.isfinite(by_fact)
    kept = [name for name, tells in zip(names, told, strict=True) if tells]
    mean = accuracy_interval(by_fact[told], kept, seed) if kept else None
    return Depth(mean, names, by_fact, _ratio(gone, weight))


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """The share, NaN of nothing."""
    return np.divide(part, whole, out=np.full_like(whole, np.nan), where=whole > 0)
