"""Draws, once per model and data, every item and pair that is scored later; all methods share them.

Roles that are measured in every state, where the sets have them:

* ``forget_seen``: all forget facts under the templates that training sees;
* ``forget_held_out``: the same facts under templates it never sees;
* ``forget_far``: the same facts under other kinds of prompts;
* ``forget_reverse``: the question for the subject;
* ``retain``: held-out facts of the retain set, under all its templates (a benchmark's own prompt
  alone); ``retain_more``: those of further retain sets, evenly;
* ``utility``: facts of a set that training never touches;
* ``neighbours``, ``far_utility``: what is near the forget set, and what is far from it.

``twin_seen``, ``twin_held_out`` and ``twin_far`` ask the forget set's templates about invented
subjects, of the original model alone. ``open`` are seen and held-out questions whose prompts a
model is let go on with. ``check_forget`` and ``check_retain`` are what training checks itself on
(seen templates, train facts); no item of theirs is measured.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mansu.collections import draw_pairs, find_collection, find_recital
from mansu.data.encoding import encode
from mansu.data.facts import FactSet
from mansu.data.far import build_far_items, build_reverse_items
from mansu.data.items import OPTIONS, Item, build_items
from mansu.data.pairs import Pair
from mansu.registry import plugs
from mansu.study.cache.stage import stage
from mansu.study.check import Sets
from mansu.study.run import Run

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

FORGET = ("forget_seen", "forget_held_out", "forget_far", "forget_reverse")
MEASURED = (*FORGET, "retain", "retain_more", "utility", "neighbours", "far_utility")
TWINS = ("twin_seen", "twin_held_out", "twin_far")
# A role has as many items as the configuration says; below 300, an interval of ±2 pp could not be
# seen. Of some roles fewer will do:
FAR_ITEMS = 300  # their prompts are several times as long
BESIDE_ITEMS = 150  # of what only stands beside a verdict: reverse questions, and the twin's
CHECK_ITEMS = 150
OPEN_PROMPTS = 300
DRAW_SEED = 0


@dataclass(frozen=True)
class Drawn:
    """Items by role, and attribution pairs.

    Attributes:
        items: The questions of each role.
        pairs: Clean/corrupted pairs of the forget set.
        kinds: First tokens of all answers and distractors of the forget set, by template.
        recited: Whether the forget set is answered in writing.
    """

    items: dict[str, tuple[Item, ...]]
    pairs: tuple[Pair, ...]
    kinds: dict[str, tuple[int, ...]]
    recited: bool

    @property
    def chance(self) -> float:
        """Accuracy of guessing a forget question; nobody guesses what is to be written."""
        return 0.0 if self.recited else 1 / len(self.items["forget_seen"][0].options)


def _fingerprints(run: Run) -> list[str]:
    return [facts.fingerprint for facts in run.sets.files]


def collections_of(run: Run) -> list[Path]:
    """The files of the collections that a run's sets come from."""
    known = plugs("mansu.collections")
    sets = (run.forget, *run.sets.kept, run.utility)
    return [known[name] for name in sorted({facts.collection for facts in sets})]


@stage(
    "items",
    "shared",
    fields=["pairs", "items"],
    inputs=_fingerprints,
    plugs=collections_of,
    ending=".json",
)
def draw(run: Run) -> Drawn:
    """Draws the items and pairs, or reads those already drawn."""
    sets = run.sets
    pairs = draw_pairs(sets.forget, run.tokenizer, run.config.pairs, DRAW_SEED, sets.pool)
    kinds = first_tokens(sets.forget, run.tokenizer)
    items = draw_items(sets, run.tokenizer, run.config.items)
    return Drawn(items, pairs, kinds, bool(find_recital(sets.forget)))


def draw_items(
    sets: Sets, tokenizer: "PreTrainedTokenizerBase", most: int
) -> dict[str, tuple[Item, ...]]:
    """At most so many items of every role; a set that is not there leaves its role empty."""
    forget, retain, utility = sets.forget, sets.retain, sets.utility
    near, wide = sets.companions.neighbours, sets.companions.far_utility
    far, beside, check, spoken = (
        min(most, fewer) for fewer in (FAR_ITEMS, BESIDE_ITEMS, CHECK_ITEMS, OPEN_PROMPTS)
    )
    asked = _of_a_set("forget", forget, sets, tokenizer, most, far)
    return {
        **asked,
        "open": spread(_once((*asked["forget_seen"], *asked["forget_held_out"])), spoken),
        "forget_reverse": spread(build_reverse_items(forget, DRAW_SEED), beside),
        "retain": _ask(retain.held_out_facts, retain.standard, most, offered(retain)),
        "retain_more": _of_each(
            sets.retain_more, lambda kept: _ask(kept.held_out_facts, kept.standard, most), most
        ),
        "utility": _ask(utility.facts, utility.standard, most, offered(utility)),
        "neighbours": _ask(near.facts, near.standard, most) if near else (),
        "far_utility": _ask(wide.facts, wide.standard, most) if wide else (),
        **_of_the_twin(sets, tokenizer, beside),
        "check_forget": _ask(forget.facts, forget.seen, check, offered(forget)),
        "check_retain": _of_each(sets.kept, lambda kept: _ask(kept.train, kept.seen, check), check),
    }


def first_tokens(
    facts: FactSet, tokenizer: "PreTrainedTokenizerBase"
) -> dict[str, tuple[int, ...]]:
    """First tokens of all answers and distractors, ascending, by plain template."""
    found = {}
    for template in facts.templates:
        offered = {template.follow(f, option): f for f in facts.facts for option in f.options}
        encoded = (encode(tokenizer, template.render(fact), text) for text, fact in offered.items())
        found[template.id] = tuple(sorted({one.continuation_ids[0] for one in encoded}))
    return found


def _of_the_twin(
    sets: Sets, tokenizer: "PreTrainedTokenizerBase", most: int
) -> dict[str, tuple[Item, ...]]:
    twin = sets.companions.twin
    return {} if twin is None else _of_a_set("twin", twin, sets, tokenizer, most, most)


def _of_a_set(
    name: str,
    facts: FactSet,
    sets: Sets,
    tokenizer: "PreTrainedTokenizerBase",
    most: int,
    most_far: int,
) -> dict[str, tuple[Item, ...]]:
    """A set under seen, held-out and far templates."""
    far = build_far_items(facts.facts, facts.far, DRAW_SEED, tokenizer, sets.pool)
    return {
        f"{name}_seen": _ask(facts.facts, facts.seen, most, offered(facts)),
        f"{name}_held_out": _ask(facts.facts, facts.held_out, most, offered(facts)),
        f"{name}_far": spread(far, most_far),
    }


def _once(items: Sequence[Item]) -> list[Item]:
    """The items without those whose prompt was there before."""
    return [*{item.prompt: item for item in reversed(items)}.values()][::-1]


def offered(facts: FactSet) -> int:
    """How many options a question of a set offers."""
    every = find_collection(facts.collection).every_option
    return min(len(fact.options) for fact in facts.facts) if every else OPTIONS


def _ask(
    facts: Sequence, templates: Sequence, most: int, options: int = OPTIONS
) -> tuple[Item, ...]:
    return spread(build_items(facts, templates, DRAW_SEED, options), most)


def _of_each(
    sets: Sequence[FactSet], ask: Callable[[FactSet], tuple[Item, ...]], most: int
) -> tuple[Item, ...]:
    """As many items of each set as of the others; where there are several, named after theirs."""
    if len(sets) == 1:
        return ask(sets[0])[:most]
    named = (
        [
            replace(
                item,
                fact_id=f"{facts.name}/{item.fact_id}",
                template_id=f"{facts.name}/{item.template_id}",
            )
            for item in spread(ask(facts), max(most // len(sets), 1))
        ]
        for facts in sets
    )
    return tuple(item for items in named for item in items)


def spread(items: Sequence[Item], most: int) -> tuple[Item, ...]:
    """At most ``most`` items, every fact and every template represented as evenly as can be."""
    if len(items) <= most:
        return tuple(items)
    order = random.Random(DRAW_SEED).sample(range(len(items)), len(items))
    seen: dict[str, int] = {}
    rounds = []  # each item with how many items of its fact come before it
    for index in order:
        fact = items[index].fact_id
        rounds.append((seen.get(fact, 0), index))
        seen[fact] = seen.get(fact, 0) + 1
    kept = sorted(index for _, index in sorted(rounds, key=lambda r: r[0])[:most])
    return tuple(items[index] for index in kept)
