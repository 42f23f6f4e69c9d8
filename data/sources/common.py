"""What every source shares: a fact before its file, orders without chance, and the file itself."""

import hashlib
import json
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

COMMAND = "python data/build.py"
# Role, then kind of template, to its texts.
Templates = Mapping[str, Mapping[str, Sequence[str]]]


@dataclass(frozen=True)
class Row:
    """One fact before its distractors and its split are chosen."""

    subject: str
    answer: str
    group: str | None = None

    @property
    def id(self) -> str:
        return "-".join("".join(c if c.isalnum() else " " for c in self.subject).lower().split())


def fold(text: str) -> str:
    """Plain ASCII: the models are English, and so is the way these names are usually typed."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().strip()


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def shuffled(names: Iterable[str], salt: str) -> list[str]:
    """The names in an order that depends on nothing but the names and the salt."""
    return sorted(names, key=lambda name: digest(f"{salt}/{name}"))


def mixed(near: Iterable[str], far: Iterable[str], salt: str, count_near: int) -> list[str]:
    """Seven distractors: up to ``count_near`` of the confusable ones, the rest of the others."""
    chosen = shuffled(near, salt)[:count_near]
    return shuffled(chosen + shuffled(far, salt)[: 7 - len(chosen)], salt)


def halves(rows: Sequence[Row], stratum: Callable[[Row], str]) -> dict[str, str]:
    """Fact id to split: every second fact of each stratum is held out."""
    ordered = sorted(rows, key=lambda row: (stratum(row), digest(row.id)))
    return {row.id: ("train", "held_out")[i % 2] for i, row in enumerate(ordered)}


def gives_itself_away(subject: str, answer: str) -> bool:
    """Whether the answer can be read off the subject: Kuwait City, Tunis, San Salvador."""
    a, b = subject.casefold(), answer.casefold()
    shared = set(a.split()) & set(b.split())
    return a in b or b in a or any(len(word) > 3 for word in shared)


def place_distractors(row: Row, rows: Sequence[Row], count_near: int) -> list[str]:
    """So many answers of the same group, the rest of others."""
    near = {other.answer for other in rows if other.group == row.group} - {row.answer}
    far = {other.answer for other in rows if other.group != row.group}
    return mixed(near, far - near - {row.answer}, row.id, count_near)


def any_distractors(row: Row, rows: Sequence[Row]) -> list[str]:
    """Seven answers of other facts, or as many as there are."""
    return shuffled({other.answer for other in rows} - {row.answer}, row.id)[:7]


def frequent_distractors(row: Row, rows: Sequence[Row]) -> list[str]:
    """Seven answers of other facts, the frequent ones more likely, so that they tell less."""
    order = shuffled((other.id for other in rows), row.id)
    answers = {other.id: other.answer for other in rows}
    distinct = dict.fromkeys(answers[other] for other in order)
    return [answer for answer in distinct if answer != row.answer][:7]


@dataclass(frozen=True)
class FactFile:
    """One file: a set with its facts.

    Attributes:
        name: The set's, and the file's.
        description: What the facts say.
        source: Source and licence of the facts.
        rows: The facts.
        distractors: Chooses a fact's wrong options.
        templates: By role and kind.
        stratum: Within which every second fact is held out.
        companions: Other sets that belong to it, by role.
    """

    name: str
    description: str
    source: tuple[str, str]
    rows: Sequence[Row]
    distractors: Callable[[Row, Sequence[Row]], list[str]]
    templates: Templates
    stratum: Callable[[Row], str] = lambda row: row.group or ""
    companions: Mapping[str, str] = field(default_factory=dict)

    def render(self) -> bytes:
        """The file's bytes: the set's own record, then a record for each fact."""
        header = {
            "record": "set",
            "name": self.name,
            "description": self.description,
            "source": self.source[0],
            "license": self.source[1],
            "command": COMMAND,
            **self.companions,
            "templates": _numbered(self.templates),
        }
        split = halves(self.rows, self.stratum)
        records: list[dict] = [header]
        for row in self.rows:
            record = {
                "record": "fact",
                "id": row.id,
                "subject": row.subject,
                "answer": row.answer,
                "distractors": self.distractors(row, self.rows),
                "group": row.group,
                "split": split[row.id],
            }
            records.append({key: value for key, value in record.items() if value is not None})
        return "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records).encode()


def _numbered(templates: Templates) -> list[dict[str, str]]:
    """Templates as records, numbered within their kind to make their ids."""
    counts: dict[str, int] = {}
    records = []
    for role, kinds in templates.items():
        for kind, texts in kinds.items():
            for text in texts:
                counts[kind] = counts.get(kind, 0) + 1
                identity = f"{kind}-{counts[kind]}"
                records.append({"id": identity, "kind": kind, "role": role, "text": text})
    return records
