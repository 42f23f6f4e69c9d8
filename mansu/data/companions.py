"""The sets that belong to a fact set: neighbours, a far utility set, an invented twin, a pool.

A set's first record names them; they are loaded, and held against the set, on demand.

* ``neighbours``: other facts of the same subjects, which unlearning should leave alone;
* ``far_utility``: facts of another field, which it should leave alone all the more;
* ``twin``: made-up subjects asked in the set's own templates, for what can be answered unknowing;
* ``pool``: facts of the set's form that are not in it: examples of few-shot prompts, and partners
  for attribution pairs.
"""

import re
from collections import Counter
from dataclasses import dataclass, replace
from functools import lru_cache

from mansu.data.facts import FactSet, fact_set_names, load_fact_set, require_disjoint
from mansu.data.far import SHOTS
from mansu.data.templates import plain
from mansu.errors import InputError
from mansu.paths import expand


@dataclass(frozen=True)
class Companions:
    """What a set names, loaded.

    Attributes:
        neighbours: Other facts of its subjects.
        far_utility: Facts of another field.
        twin: Invented subjects, with the set's own templates in place of the file's.
        pool: Facts of its form that are not in it.
    """

    neighbours: FactSet | None = None
    far_utility: FactSet | None = None
    twin: FactSet | None = None
    pool: FactSet | None = None


def load_companions(fact_set: FactSet) -> Companions:
    """Loads the sets that a set names.

    Raises:
        InputError: One cannot be read or does not fit: neighbours or a far utility set that share
            a fact or a trained template with the set, a twin with a real subject, a pool with one
            of the set's subjects or too few examples.
    """
    loaded = {role: _load(fact_set, role) for role in fact_set.companions}
    for role in ("neighbours", "far_utility"):
        if role in loaded:
            require_untrained(loaded[role], fact_set)
    if "pool" in loaded:
        _require_fitting_pool(loaded["pool"], fact_set)
    if "twin" in loaded:
        _require_invented(loaded["twin"], fact_set)
        loaded["twin"] = replace(
            loaded["twin"], templates=fact_set.templates, probes=fact_set.probes
        )
    return Companions(**loaded)


def require_untrained(companion: FactSet, trained: FactSet) -> None:
    """Refuses a set, meant only to be measured, that shares a fact or wording with a trained one.

    Raises:
        InputError: naming the fact or template.
    """
    require_disjoint(companion, trained)
    wordings = {plain(template.text): template for template in trained.seen}
    for template in companion.templates:
        if plain(template.text) in wordings:
            raise InputError(
                f"{companion.path}: the template {template.id!r} is also "
                f"{wordings[plain(template.text)].id!r} of {trained.name!r} ({trained.path}), "
                "which is trained on; word it differently."
            )


def _load(fact_set: FactSet, role: str) -> FactSet:
    name = fact_set.companions[role]
    built_in = re.fullmatch(r"[\w-]+", name) is not None
    try:
        return load_fact_set(name if built_in else str(fact_set.path.parent / expand(name)))
    except InputError as error:
        raise InputError(f"{fact_set.path}, {role}: {error}") from None


def _require_fitting_pool(pool: FactSet, fact_set: FactSet) -> None:
    subjects = {_bare(fact.subject): fact for fact in fact_set.facts}
    for fact in pool.facts:
        if _bare(fact.subject) in subjects:
            raise InputError(
                f"{pool.path}: {fact.subject!r} is a subject of {fact_set.name!r} "
                f"({fact_set.path}), whose pool this is; remove it from one of them."
            )
    if not any(template.kind == "few_shot" for template in fact_set.far):
        return
    answers = Counter(plain(fact.answer) for fact in pool.facts)
    for fact in fact_set.facts:
        if len(pool.facts) - answers[plain(fact.answer)] < SHOTS:
            raise InputError(
                f"{pool.path}: a few-shot prompt for {fact.subject!r} needs {SHOTS} examples with "
                f"other answers than {fact.answer!r}; add facts."
            )


def _require_invented(twin: FactSet, fact_set: FactSet) -> None:
    real = dict.fromkeys(map(_bare, _names(fact_set)), fact_set.name) | _real_names()
    for fact in twin.facts:
        if _bare(fact.subject) in real:
            raise InputError(
                f"{twin.path}: {fact.subject!r} is real (it is in {real[_bare(fact.subject)]!r}); "
                "an invented twin needs made-up subjects."
            )


@lru_cache(maxsize=1)
def _real_names() -> dict[str, str]:
    """Everything that the built-in sets name, with the set that does."""
    return {_bare(n): name for name in fact_set_names() for n in _names(load_fact_set(name))}


def _names(fact_set: FactSet) -> list[str]:
    return [name for fact in fact_set.facts for name in (fact.subject, fact.answer)]


def _bare(name: str) -> str:
    return plain(name).removeprefix("the ")
