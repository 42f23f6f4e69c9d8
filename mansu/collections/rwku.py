"""RWKU: what a model knows of famous people, asked at three levels, and of their neighbours.

``rwku:level1`` are sentences with a blank, ``rwku:level2`` questions, ``rwku:level3`` questions in
adversarial forms; ``rwku:neighbor1`` and ``rwku:neighbor2`` the first two about what is near and to
be kept. One person is forgotten at a time: ``rwku:level2-stephen-king``.

Source: Jin et al. 2024 (arXiv 2406.10890); the dataset ``jinzhuoran/RWKU``, configurations
``forget_level1`` and so on. Figure: ROUGE-L recall of what is written, 30 tokens and one line at
most; the authors' code counts a word once however often it is written, ``rouge_score`` as often as
it is, and puts questions through each model's chat form. The dataset has no wrong answers: a
question's are those of the next questions [O].
"""

import re
from collections.abc import Iterable

from mansu.collections.base import Collection
from mansu.data.facts import FactSet
from mansu.data.making import make_set
from mansu.data.rows import Source, columns_of, read_rows
from mansu.data.sentences import open_facts
from mansu.data.templates import Template
from mansu.errors import InputError
from mansu.metrics.figures import Asked, Figure, Writing
from mansu.paths import sets_folder
from mansu.registry import refusal

LEVELS = {
    "level1": "forget_level1",
    "level2": "forget_level2",
    "level3": "forget_level3",
    "neighbor1": "neighbor_level1",
    "neighbor2": "neighbor_level2",
}
BLANK = "Please complete the blank in the following question."
BRIEF = "Please briefly answer the following question."


def load(part: str) -> FactSet:
    """A level, of all people or of one."""
    level, _, person = part.partition("-")
    if level not in LEVELS:
        raise InputError(refusal(level, LEVELS))
    name = LEVELS[level]
    rows = read_rows(Source(sets_folder() / "rwku" / name, "jinzhuoran/RWKU", name))
    if person:
        people = dict.fromkeys(_slug(subject) for (subject,) in columns_of(rows, "subject"))
        if person not in people:
            raise InputError(refusal(person, people))
        rows = [row for row in rows if _slug(row["subject"]) == person]
    words = BLANK if level.endswith("1") else BRIEF
    asked = Template("query", f"{words}\nQuestion: {{subject}}\nAnswer:", "question", "seen", " ")
    facts = open_facts(columns_of(rows, "query", "answer"))
    return make_set(facts, [asked], source="jinzhuoran/RWKU (arXiv 2406.10890)")


def _slug(subject: str) -> str:
    """A person's name in a set's."""
    return re.sub(r"\W+", "-", subject.lower()).strip("-")


def figures(asked: Asked) -> Iterable[Figure]:
    """ROUGE-L recall."""
    if asked.written is not None:
        yield Figure("rouge_l", asked.written.recall, asked.under("query"))


COLLECTION = Collection(
    "rwku", load, writing=(Writing(30, "query", ends=("\n",)),), figures=figures
)
