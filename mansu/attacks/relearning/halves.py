"""Facts cut in two for a relearning attack: T is taught again, V is only ever asked. [O]

V must not follow from T, so that what comes back of V was still in the model: facts of one answer
stay on one side.
"""

from dataclasses import dataclass

from mansu.attacks.base import ORDER_SEED, ordered
from mansu.data.facts import FactSet
from mansu.data.templates import Fact, plain
from mansu.errors import InputError


@dataclass(frozen=True)
class Halves:
    """The facts of a set, cut in two; each side in an order that depends on ids and seed alone.

    Attributes:
        taught: T, which the attack teaches.
        untaught: V, whose answers T does not hold.
    """

    taught: tuple[Fact, ...]
    untaught: tuple[Fact, ...]


def halve(fact_set: FactSet, seed: int = ORDER_SEED) -> Halves:
    """Cuts a set in two halves, as equal as facts that share an answer allow.

    Args:
        fact_set: The set.
        seed: Seed of the split.

    Raises:
        InputError: A side would be empty: the set has one answer in all.
    """
    groups: dict[str, list[Fact]] = {}
    for fact in ordered(fact_set.facts, seed):
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
            "leave relearning out."
        )
    return Halves(ordered(taught, seed), ordered(untaught, seed))
