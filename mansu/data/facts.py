"""Fact sets: one relation, its facts, and the templates that state them.

A set is one file of JSON Lines (``mansu.data.schema`` says what a line holds). The built-in ones
lie in the repository's ``data`` folder; a user's own file is given by its path.
"""

import dataclasses
import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mansu.data.folder import require_data_folder
from mansu.data.schema import FactRecord, SetRecord, parse_line
from mansu.errors import InputError
from mansu.paths import absolute, expand

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# Beside Chinese and Japanese, whose characters are wide, and without Korean, whose are too.
_WITHOUT_SPACES = ("THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")


@dataclass(frozen=True)
class Fact:
    """One subject and its answer.

    Attributes:
        id: Unique in its set.
        subject: What the prompt names.
        answer: What follows the prompt.
        distractors: Wrong answers of the same type, at least three.
        split: Whether the fact may be trained on when its set is retained.
        group: A part of the set that it belongs to, such as a continent.
    """

    id: str
    subject: str
    answer: str
    distractors: tuple[str, ...]
    split: Literal["train", "held_out"]
    group: str | None = None

    @property
    def options(self) -> tuple[str, ...]:
        """The answer, then the distractors."""
        return (self.answer, *self.distractors)


@dataclass(frozen=True)
class Template:
    """One phrasing of a relation; its text ends where the answer follows.

    Attributes:
        id: Unique in its set.
        text: Contains ``{subject}`` exactly once.
        kind: The grammatical form.
        role: Whether training sees it.
        joint: The white space between prompt and answer. None: a space, or nothing where the prompt
            ends in a script that is written without spaces.
    """

    id: str
    text: str
    kind: Literal["cloze", "possessive", "question"]
    role: Literal["seen", "held_out"]
    joint: str | None = None

    def render(self, fact: Fact) -> str:
        """The prompt that asks for the fact."""
        return self.text.replace("{subject}", fact.subject)

    def follow(self, fact: Fact, option: str) -> str:
        """What continues the fact's prompt where ``option`` is the answer."""
        if self.joint is not None:
            return self.joint + option
        return option if _is_unspaced(self.render(fact)[-1]) else f" {option}"


@dataclass(frozen=True)
class FactSet:
    """A relation with its facts and templates.

    Attributes:
        name: Short name, fit to be a folder's name.
        description: What the facts say.
        source: Where they come from.
        license: The source's licence.
        templates: Seen and held-out phrasings.
        facts: In the file's order.
        fingerprint: SHA-256 of the file's bytes.
        path: The file.
    """

    name: str
    description: str
    source: str
    license: str
    templates: tuple[Template, ...]
    facts: tuple[Fact, ...]
    fingerprint: str
    path: Path

    @property
    def seen(self) -> tuple[Template, ...]:
        """Templates that training sees."""
        return tuple(template for template in self.templates if template.role == "seen")

    @property
    def held_out(self) -> tuple[Template, ...]:
        """Templates that training never sees."""
        return tuple(template for template in self.templates if template.role == "held_out")

    @property
    def train(self) -> tuple[Fact, ...]:
        """Facts that may be trained on when the set is retained."""
        return tuple(fact for fact in self.facts if fact.split == "train")

    @property
    def held_out_facts(self) -> tuple[Fact, ...]:
        """Facts on which retention is measured."""
        return tuple(fact for fact in self.facts if fact.split == "held_out")


def fact_set_names() -> tuple[str, ...]:
    """Names of the built-in sets.

    Raises:
        InputError: The data folder is not there.
    """
    return tuple(sorted(path.stem for path in require_data_folder().glob("*.jsonl")))


def is_built_in(name_or_path: str) -> bool:
    """Whether this names a built-in set: a bare word does; a dot or a slash makes a path."""
    return re.fullmatch(r"[\w-]+", name_or_path) is not None


def load_fact_set(name_or_path: str) -> FactSet:
    """Loads a built-in set by its name, or a file by its path.

    Raises:
        InputError: There is no such set or file, or a line of it is wrong; the message names file
            and line.
    """
    built_in = is_built_in(name_or_path)
    path = require_data_folder() / f"{name_or_path}.jsonl" if built_in else expand(name_or_path)
    if built_in and name_or_path not in fact_set_names():
        raise InputError(
            f"There is no built-in fact set {name_or_path!r}; there are "
            f"{', '.join(fact_set_names())}. Give a file of your own as a path, such as "
            f"./{name_or_path}.jsonl."
        )
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"The fact set {name_or_path!r} cannot be read ({reason}); give a JSON Lines file or "
            f"the name of a built-in set: {', '.join(fact_set_names())}."
        ) from None
    return _parse(content, path)


def locate_fact_set(name_or_path: str) -> str:
    """The name or path such that it means the same set from any folder."""
    return name_or_path if is_built_in(name_or_path) else str(absolute(name_or_path))


def require_disjoint(first: FactSet, second: FactSet) -> None:
    """Refuses two sets that share a fact, such as a forget and a retain set.

    A fact is shared when both sets give the same subject the same answer, or when both pose the
    same prompt, whatever they hold to be the answer: to train one prompt away and to keep it are
    contrary aims. Case and white space make no difference.

    Raises:
        InputError: naming the first shared fact.
    """
    theirs = {key for fact in second.facts for key in _identities(second, fact)}
    for fact in first.facts:
        if any(key in theirs for key in _identities(first, fact)):
            raise InputError(
                f"The fact sets {first.name!r} ({first.path}) and {second.name!r} ({second.path}) "
                f"share the fact {fact.subject!r} → {fact.answer!r}; remove it from one of them "
                "or choose another set."
            )


def _identities(fact_set: FactSet, fact: Fact) -> Iterator[tuple[str, ...]]:
    """What makes a fact the same as another, in comparable form."""
    yield _plain(fact.subject), _plain(fact.answer)
    for template in fact_set.templates:
        yield (_plain(template.render(fact)),)


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def _is_unspaced(character: str) -> bool:
    """Whether a word that follows this character follows it without a space."""
    name = unicodedata.name(character, "")
    wide = unicodedata.east_asian_width(character) in "WF" and not name.startswith("HANGUL")
    symbol = unicodedata.category(character).startswith("S")  # an emoji is wide, too
    return (wide and not symbol) or name.startswith(_WITHOUT_SPACES)


def _parse(content: bytes, path: Path) -> FactSet:
    """Reads a file's bytes, whatever they are."""
    header: FactSet | None = None
    facts: list[Fact] = []
    subjects: set[str] = set()
    ids: set[str] = set()
    sides: set[str] = set()
    for number, line in enumerate(content.removeprefix(BYTE_ORDER_MARK).split(b"\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            record = parse_line(line)
        except ValueError as error:
            raise InputError(f"{where}: {error}.") from None
        if (header is None) != isinstance(record, SetRecord):
            raise InputError(
                f'{where}: record: must be "set" in the first record and "fact" in all others.'
            )
        if isinstance(record, SetRecord):
            header = _header(record, path, where, hashlib.sha256(content).hexdigest())
            continue
        if record.id in ids:
            raise InputError(f"{where}: id: {record.id!r} was already used.")
        if _plain(record.subject) in subjects:
            raise InputError(
                f"{where}: subject: {record.subject!r} already has an answer; a set gives each "
                "subject one."
            )
        for distractor in record.distractors:
            if _plain(distractor) == _plain(record.answer):
                raise InputError(f"{where}: distractors: {distractor!r} is the answer.")
        ids.add(record.id)
        subjects.add(_plain(record.subject))
        facts.append(_fact(record, sides))
        sides.add(facts[-1].split)
    if header is None:
        raise InputError(f"{path}, line 1: the file is empty.")
    if not facts:
        raise InputError(f"{path}, line 1: the set has no facts; add a line for each.")
    return dataclasses.replace(header, facts=tuple(facts))


def _header(record: SetRecord, path: Path, where: str, fingerprint: str) -> FactSet:
    templates = tuple(
        Template(t.id, t.text, t.kind, t.role, record.joint) for t in record.templates
    )
    for field in ("id", "text"):
        values = Counter(getattr(template, field) for template in templates)
        for value, uses in values.items():
            if uses > 1:
                raise InputError(f"{where}: templates: the {field} {value!r} is used twice.")
    if not any(template.role == "seen" for template in templates):
        raise InputError(f'{where}: templates: at least one must have "role": "seen".')
    return FactSet(
        record.name,
        record.description,
        record.source,
        record.license,
        templates,
        (),
        fingerprint,
        path,
    )


def _fact(record: FactRecord, sides: set[str]) -> Fact:
    """The fact of a record.

    Args:
        record: As the file has it.
        sides: The splits that the facts before it are on.
    """
    split = record.split
    if split is None:
        # About half, by the id; but no side stays empty, if there are two facts. Either depends on
        # the facts before at most, so that adding some moves none.
        split = "held_out" if hashlib.sha256(record.id.encode()).digest()[0] % 2 else "train"
        if sides == {split}:
            split = "train" if split == "held_out" else "held_out"
    return Fact(record.id, record.subject, record.answer, record.distractors, split, record.group)
