"""Facts cut in two for a relearning attack: T is taught again, V is only ever asked. [O]

V must not follow from T, so that what comes back of V was still in the model: facts of one answer
stay on one side.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from mansu.data.facts import FactSet
from mansu.data.items import Item, build_items
from mansu.data.templates import Fact, Template, plain
from mansu.errors import InputError

SPLIT_SEED = 11


@dataclass(frozen=True)
class Halves:
    """The facts of a set, cut in two; each side in an order that depends on ids and seed alone.

    Attributes:
        taught: T, which the attack teaches.
        untaught: V, whose answers T does not hold.
    """

    taught: tuple[Fact, ...]
    untaught: tuple[Fact, ...]


def halve(fact_set: FactSet, seed: int = SPLIT_SEED) -> Halves:
    """Cuts a set in two halves, as equal as facts that share an answer allow.

    Args:
        fact_set: The set.
        seed: Seed of the split.

    Raises:
        InputError: A side would be empty: the set has one answer in all.
    """
    groups: dict[str, list[Fact]] = {}
    for fact in sorted(fact_set.facts, key=lambda fact: _order(fact.id, seed)):
        groups.setdefault(plain(fact.answer), []).append(fact)
    taught: list[Fact] = []
    untaught: list[Fact] = []
    # The largest first, so that the small ones even the sides out.
    for group in sorted(groups.values(), key=len, reverse=True):
        (taught if len(taught) <= len(untaught) else untaught).extend(group)
    if not untaught:
        raise InputError(
            f"{fact_set.path}: relearning teaches half of the facts and asks the other half, and "
            f"all facts of {fact_set.name!r} have one answer; add facts with other answers, or "
            "leave relearn out."
        )
    return Halves(
        *(tuple(sorted(side, key=lambda f: _order(f.id, seed))) for side in (taught, untaught))
    )


def ask(
    facts: Sequence[Fact], templates: Sequence[Template], most: int, seed: int
) -> tuple[Item, ...]:
    """Questions about the facts: each under one template, then each under another, up to ``most``.

    Where there are more facts than ``most``, the first ones are asked; no fact is asked more often
    than another.

    Args:
        facts: The facts.
        templates: The templates, which the facts take in turn.
        most: Questions at most.
        seed: Seed of the options.
    """
    asked = facts[:most]
    rounds = min(len(templates), most // max(len(asked), 1))
    return tuple(
        build_items([fact], [templates[(place + turn) % len(templates)]], seed)[0]
        for turn in range(rounds)
        for place, fact in enumerate(asked)
    )


def _order(name: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}/{name}".encode()).digest()
