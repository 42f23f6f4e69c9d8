"""Which questions run together, so that little is read twice and little of it is padding.

Questions of one template begin alike: what all prompts of a batch share is run once, for all of
them. Options continue from their prompt; those of about one length run together.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

# Prompts per forward pass. Fixed, because in low precision the batch size changes scores.
BATCH_PROMPTS = 32
_ALIKE = 3  # first tokens by which prompts are put together; with a start token, its two words
_FEW = 8  # prompts; fewer that begin alike join those that begin like no others

Tokens = tuple[int, ...]


@dataclass(frozen=True)
class Prompts:
    """Prompts that run together.

    Attributes:
        tokens: The prompts, each whole.
        shared: How many tokens all of them begin with; each has at least one more.
    """

    tokens: tuple[Tokens, ...]
    shared: int

    @classmethod
    def of(cls, tokens: Sequence[Tokens], sharing: bool) -> "Prompts":
        """These prompts; a single one shares nothing."""
        shared = 0
        if sharing and len(tokens) > 1:
            first, last, most = min(tokens), max(tokens), min(map(len, tokens)) - 1
            while shared < most and first[shared] == last[shared]:
                shared += 1
        return cls(tuple(tokens), shared)


def batch_prompts(prompts: Iterable[Tokens], exact: bool) -> list[Prompts]:
    """Prompts that run together, each prompt once.

    Args:
        prompts: Token ids of each, in any order.
        exact: Whether padding would change the scores, so that only prompts of one length share a
            batch, and nothing is read before them.
    """
    ordered = sorted(set(prompts), key=lambda prompt: (len(prompt), prompt))
    if exact:
        groups = [list(group) for _, group in groupby(ordered, key=len)]
    else:
        beginnings: dict[Tokens, list[Tokens]] = {}
        for prompt in ordered:
            beginnings.setdefault(prompt[:_ALIKE], []).append(prompt)
        groups = [group for group in beginnings.values() if len(group) >= _FEW]
        alone = [p for p in ordered if len(beginnings[p[:_ALIKE]]) < _FEW]
        groups += [alone] if alone else []
    return [
        Prompts.of(group[start : start + BATCH_PROMPTS], not exact)
        for group in groups
        for start in range(0, len(group), BATCH_PROMPTS)
    ]


def batch_tails(tails: Iterable[tuple[int, Tokens]]) -> list[list[tuple[int, Tokens]]]:
    """Tails that run together: each group's longest is less than twice as long as its shortest.

    Args:
        tails: Each with the place of its prompt; none is empty.
    """
    ordered = sorted(tails, key=lambda tail: (len(tail[1]), tail))
    return [list(group) for _, group in groupby(ordered, lambda tail: len(tail[1]).bit_length())]
