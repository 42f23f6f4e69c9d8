"""Fact sets: one relation, its facts, and the templates that state them.

A set is one file of JSON Lines (``mansu.data.schema`` says what a line holds). The built-in ones
lie in the repository's ``data`` folder; a user's own file is given by its path.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from mansu.data.folder import require_data_folder
from mansu.data.schema import COMPANIONS, FactRecord, SetRecord, parse_line
from mansu.data.templates import Fact, Template, plain
from mansu.errors import InputError
from mansu.notation import read_source
from mansu.paths import absolute, expand

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# How the name of a built-in set's twin ends.
INVENTED = "_invented"
MASK = "(masked)"  # in place of a text that may not be shown


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
        probes: Far and reverse templates, which neither training nor tuning may use.
        companions: The sets that belong to it, by role, as the file names them
            (``mansu.data.companions`` loads them).
        collection: The collection that it comes from (``mansu.collections``).
        masked: Whether none of its texts may be shown.
    """

    name: str
    description: str
    source: str
    license: str
    templates: tuple[Template, ...]
    facts: tuple[Fact, ...]
    fingerprint: str
    path: Path
    probes: tuple[Template, ...] = ()
    companions: Mapping[str, str] = field(default_factory=dict, hash=False)
    collection: str = "facts"
    masked: bool = False

    @property
    def seen(self) -> tuple[Template, ...]:
        """Templates that training sees."""
        return tuple(template for template in self.templates if template.role == "seen")

    @property
    def held_out(self) -> tuple[Template, ...]:
        """Templates that training never sees."""
        return tuple(template for template in self.templates if template.role == "held_out")

    @property
    def standard(self) -> tuple[Template, ...]:
        """What a set is asked in that is kept: all templates; of a benchmark its own prompt alone.

        So the accuracy is the benchmark's, which knows no other order of the options.
        """
        return tuple(t for t in self.templates if t.kind != "letters" or t.role == "seen")

    @property
    def far(self) -> tuple[Template, ...]:
        """Prompts of other kinds than training's."""
        return tuple(template for template in self.probes if template.role == "far")

    @property
    def reverse(self) -> tuple[Template, ...]:
        """Templates that name the answer and ask for the subject: another association."""
        return tuple(template for template in self.probes if template.role == "reverse")

    @property
    def train(self) -> tuple[Fact, ...]:
        """Facts that may be trained on when the set is retained."""
        return tuple(fact for fact in self.facts if fact.split == "train")

    @property
    def held_out_facts(self) -> tuple[Fact, ...]:
        """Facts on which retention is measured."""
        return tuple(fact for fact in self.facts if fact.split == "held_out")

    def shown(self, fact: Fact) -> tuple[str, str]:
        """Subject and answer of a fact as they may be shown."""
        return (fact.id, MASK) if self.masked else (fact.subject, fact.answer)


def fact_set_names() -> tuple[str, ...]:
    """Names of the built-in sets, without their invented twins.

    Raises:
        InputError: The data folder is not there.
    """
    names = {path.stem for path in require_data_folder().glob("*.jsonl")}
    return tuple(sorted(name for name in names if not name.endswith(INVENTED)))


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
    if built_in and name_or_path.removesuffix(INVENTED) not in fact_set_names():
        raise InputError(
            f"There is no built-in fact set {name_or_path!r}; there are "
            f"{', '.join(fact_set_names())}. Give a file of your own as a path, such as "
            f"./{name_or_path}.jsonl."
        )
    try:
        content = read_source(path)
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


def several(names: str) -> tuple[str, ...]:
    """The sets that a text names with commas between them, each once.

    A file whose own name has a comma is one set.
    """
    if not is_built_in(names) and _is_file(names):
        return (names,)
    return tuple(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))


def _is_file(name: str) -> bool:
    try:
        return expand(name).is_file()
    except (OSError, ValueError):
        return False


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
            subject, answer = replace(first, masked=first.masked or second.masked).shown(fact)
            raise InputError(
                f"The fact sets {first.name!r} ({first.path}) and {second.name!r} ({second.path}) "
                f"share the fact {subject!r} → {answer!r}; remove it from one of them "
                "or choose another set."
            )


def _identities(fact_set: FactSet, fact: Fact) -> Iterator[tuple[str, ...]]:
    """What makes a fact the same as another, in comparable form."""
    yield plain(fact.subject), plain(fact.answer)
    for template in fact_set.templates:
        yield (plain(template.render(fact)),)


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
        if plain(record.subject) in subjects:
            raise InputError(
                f"{where}: subject: {record.subject!r} already has an answer; a set gives each "
                "subject one."
            )
        for distractor in record.distractors:
            if plain(distractor) == plain(record.answer):
                raise InputError(f"{where}: distractors: {distractor!r} is the answer.")
        ids.add(record.id)
        subjects.add(plain(record.subject))
        facts.append(_fact(record, sides))
        sides.add(facts[-1].split)
    if header is None:
        raise InputError(f"{path}, line 1: the file is empty.")
    if not facts:
        raise InputError(f"{path}, line 1: the set has no facts; add a line for each.")
    return replace(header, facts=tuple(facts))


def _header(record: SetRecord, path: Path, where: str, fingerprint: str) -> FactSet:
    templates = tuple(
        Template(t.id, t.text, t.kind, t.role, record.joint) for t in record.templates
    )
    for name in ("id", "text"):
        values = Counter(getattr(template, name) for template in templates)
        for value, uses in values.items():
            if uses > 1:
                raise InputError(f"{where}: templates: the {name} {value!r} is used twice.")
    trained = {plain(t.text): t for t in templates if t.role == "seen"}
    for template in templates:
        if template.role == "far" and plain(template.text) in trained:
            raise InputError(
                f"{where}: templates: the far template {template.id!r} has the words of "
                f"{trained[plain(template.text)].id!r}, which is trained on; word it differently."
            )
    if not any(template.role == "seen" for template in templates):
        raise InputError(f'{where}: templates: at least one must have "role": "seen".')
    if record.pool is None and any(t.kind == "few_shot" for t in templates):
        raise InputError(f"{where}: templates: few_shot needs a pool, the set of its examples.")
    told = (record.name, record.description, record.source, record.license)
    plain_roles = tuple(t for t in templates if t.role in ("seen", "held_out"))
    probes = tuple(t for t in templates if t.role in ("far", "reverse"))
    companions = {role: name for role in COMPANIONS if (name := getattr(record, role)) is not None}
    return FactSet(*told, plain_roles, (), fingerprint, path, probes, companions)


def side_of(name: str) -> Literal["train", "held_out"]:
    """The side of a fact that is given none, by its id: about half of them on each."""
    return "held_out" if hashlib.sha256(name.encode()).digest()[0] % 2 else "train"


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
        split = side_of(record.id)
        if sides == {split}:
            split = "train" if split == "held_out" else "held_out"
    return Fact(record.id, record.subject, record.answer, record.distractors, split, record.group)
