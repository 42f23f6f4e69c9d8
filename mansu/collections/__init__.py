"""Where questions come from, one file a collection: ``wmdp:bio`` is a collection and a set of it.

A bare word or a path is a fact set, as if ``facts:`` stood before it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mansu.collections.base import Collection as Collection
from mansu.data.companions import Companions
from mansu.data.facts import FactSet as FactSet
from mansu.data.facts import locate_fact_set
from mansu.data.making import make_fact as make_fact
from mansu.data.making import make_set as make_set
from mansu.data.pairs import Pair
from mansu.data.templates import Fact as Fact
from mansu.data.templates import Template as Template
from mansu.errors import InputError, first_line
from mansu.paths import absolute
from mansu.registry import load, plugs, refusal

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from mansu.metrics.figures import Writing

FACTS = "facts"


def find_collection(name: str) -> Collection:
    """A collection by its name.

    Raises:
        InputError: There is none of that name.
    """
    return load(__name__, "COLLECTION", name)


def load_set(name: str) -> FactSet:
    """Loads the set that a name such as ``capitals``, ``./mine.jsonl`` or ``wmdp:bio`` means.

    Raises:
        InputError: There is no such collection or set, or it cannot be read.
    """
    collection, part = split(name)
    plug = find_collection(collection)
    try:
        found = plug.load(part)
    except InputError as error:
        raise InputError(str(error) if collection == FACTS else f"{name}: {error}") from None
    except Exception as error:  # whatever a user's file raises, which may quote what it read
        told = type(error).__name__ if plug.masked else first_line(error)
        raise InputError(f"{name}: it cannot be loaded ({told}).") from error
    if not isinstance(found, FactSet):
        raise InputError(f"{name}: {plugs(__name__)[collection]} must load a FactSet.")
    if collection != FACTS:
        found = replace(found, name=name, path=Path(name))
    return replace(found, collection=collection, masked=plug.masked or found.masked)


def load_beside(facts: FactSet) -> Companions:
    """Loads what belongs to a set that is to be forgotten.

    Raises:
        InputError: It cannot be read, or does not fit the set.
    """
    return find_collection(facts.collection).companions(facts)


def load_texts(facts: FactSet) -> Mapping[str, tuple[str, ...]]:
    """Texts that a set is compared by beside its questions, by name; none where not said.

    Raises:
        InputError: They cannot be read.
    """
    texts = find_collection(facts.collection).texts
    try:
        return texts(facts) if texts else {}
    except InputError as error:
        raise InputError(f"{facts.name}: {error}") from None


def draw_pairs(
    facts: FactSet,
    tokenizer: "PreTrainedTokenizerBase",
    count: int,
    seed: int,
    pool: Sequence[Fact] = (),
) -> tuple[Pair, ...]:
    """Draws attribution pairs of a set as its collection makes them.

    Raises:
        InputError: The set gives none.
    """
    return find_collection(facts.collection).pairs(facts, tokenizer, count, seed, pool)


def find_writing(facts: FactSet) -> "Writing | None":
    """How a set's questions are answered in a model's own words, beside the choice; None where
    they are not."""
    collection = find_collection(facts.collection)
    known = {writing.template: writing for writing in collection.writing}
    told = (known[t.id] for t in facts.templates if t.id in known and not collection.recited)
    return next(told, None)


def find_recital(facts: FactSet) -> "dict[str, Writing]":
    """How a set's questions are answered where that takes the place of the choice, by template."""
    collection = find_collection(facts.collection)
    return {w.template: w for w in collection.writing} if collection.recited else {}


def locate_set(name: str) -> str:
    """The name such that it means the same set from any folder.

    Raises:
        InputError: It names a collection that is not there.
    """
    collection, part = split(name)
    if collection == FACTS:
        return locate_fact_set(part)
    if collection not in (known := plugs(__name__)):
        raise InputError(f"collections: {refusal(collection, known)}")
    return f"{collection}:{absolute(part) if re.search(r'[./]', part) else part}"


def split(name: str) -> tuple[str, str]:
    """The name's collection, and what of it is meant."""
    collection, colon, part = name.partition(":")
    return (collection, part) if colon and re.fullmatch(r"[\w-]+", collection) else (FACTS, name)
