"""Draws, once per model and data, every item and pair that is scored later; all methods share them.

Roles:

* ``forget_seen``: all forget facts under the templates that training sees;
* ``forget_held_out``: the same facts under templates it never sees;
* ``retain``: held-out facts of the retain set, under all its templates;
* ``utility``: facts of a set that training never touches;
* ``check_forget``, ``check_retain``: what training checks itself on (seen templates, train facts).
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from mansu.data.facts import FactSet
from mansu.data.items import Item, build_items
from mansu.data.pairs import Pair, build_pairs
from mansu.study.cache.stage import stage
from mansu.study.run import Run

MEASURED = ("forget_seen", "forget_held_out", "retain", "utility")
# Scored items of a measured role at most; below 300, an interval of ±2 pp could not be seen.
ITEMS_PER_ROLE = 400
CHECK_ITEMS = 150
DRAW_SEED = 0


@dataclass(frozen=True)
class Drawn:
    """Items by role, and attribution pairs.

    Attributes:
        items: The questions of each role.
        pairs: Clean/corrupted pairs of the forget set.
    """

    items: dict[str, tuple[Item, ...]]
    pairs: tuple[Pair, ...]

    @property
    def chance(self) -> float:
        """Accuracy of guessing a forget question."""
        return 1 / len(self.items["forget_seen"][0].options)


def _fingerprints(run: Run) -> list[str]:
    return [facts.fingerprint for facts in run.sets]


@stage("items", "shared", fields=["pairs"], inputs=_fingerprints, ending=".json")
def draw(run: Run) -> Drawn:
    """Draws the items and pairs, or reads those already drawn."""
    pool = run.companions.pool.facts if run.companions.pool else ()
    return Drawn(
        draw_items(run.forget, run.retain, run.utility),
        build_pairs(run.forget, run.tokenizer, run.config.pairs, DRAW_SEED, pool),
    )


def draw_items(forget: FactSet, retain: FactSet, utility: FactSet) -> dict[str, tuple[Item, ...]]:
    """The items of every role, the same whatever the model."""
    return {
        "forget_seen": _sample(forget.facts, forget.seen, ITEMS_PER_ROLE),
        "forget_held_out": _sample(forget.facts, forget.held_out, ITEMS_PER_ROLE),
        "retain": _sample(retain.held_out_facts, retain.templates, ITEMS_PER_ROLE),
        "utility": _sample(utility.facts, utility.templates, ITEMS_PER_ROLE),
        "check_forget": _sample(forget.facts, forget.seen, CHECK_ITEMS),
        "check_retain": _sample(retain.train, retain.seen, CHECK_ITEMS),
    }


def _sample(facts: Sequence, templates: Sequence, most: int) -> tuple[Item, ...]:
    """At most ``most`` items, every fact and every template represented as evenly as can be."""
    items = build_items(facts, templates, DRAW_SEED)
    if len(items) <= most:
        return items
    order = random.Random(DRAW_SEED).sample(range(len(items)), len(items))
    seen: dict[str, int] = {}
    rounds = []  # each item with how many items of its fact come before it
    for index in order:
        fact = items[index].fact_id
        rounds.append((seen.get(fact, 0), index))
        seen[fact] = seen.get(fact, 0) + 1
    kept = sorted(index for _, index in sorted(rounds, key=lambda r: r[0])[:most])
    return tuple(items[index] for index in kept)
