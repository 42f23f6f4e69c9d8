"""Rows of a multiple-choice benchmark as a set of lettered questions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mansu.data.facts import FactSet
from mansu.data.letters import ABOUT, LETTERS, OPTIONS, lettered
from mansu.data.making import make_fact, make_set
from mansu.data.rows import text_at, texts_at, value_at
from mansu.data.templates import Fact
from mansu.errors import InputError, quote


@dataclass(frozen=True)
class Columns:
    """Which columns of a row hold what; ``a.b`` is the field b of the column a.

    Attributes:
        question: The question.
        choices: A list of four options, or four columns of one option each.
        answer: The right option's place, from 0, or its letter.
        group: What the question is about, for the prompt's first sentence.
    """

    question: str = "question"
    choices: str | tuple[str, ...] = "choices"
    answer: str = "answer"
    group: str | None = None


def make_questions(
    rows: Sequence[Mapping[str, Any]],
    columns: Columns,
    *,
    group: str | None = None,
    source: str = "",
    license: str = "",
) -> FactSet:
    """A set of the rows, under lm-evaluation-harness's prompt.

    Rows that repeat an earlier one, and rows of which two options are alike, are left out, because
    no answer of theirs could be told from another; the set's description counts them.

    Args:
        rows: The rows, in their order; a question is called by its row's number.
        columns: Which column holds what.
        group: What all questions are about, where no column says it. Where neither does, the
            prompt begins with the question.
        source: Where they come from.
        license: The source's licence.

    Raises:
        InputError: A column is missing or holds something else, or no row is left.
    """
    found: dict[tuple[str, ...], Fact] = {}
    for number, row in enumerate(rows):
        fact = _question(row, columns, f"row {number}", group)
        if fact is not None:
            found.setdefault((fact.subject, *fact.listed), fact)
    left = len(rows) - len(found)
    if not found:
        raise InputError("no row can be asked: each has two options that are alike.")
    start = ABOUT if group or columns.group else ""
    told = f"{len(found)} questions with four options"
    told += f"; {left} rows left out, repeated or with two options alike" if left else ""
    templates = lettered(start)
    return make_set([*found.values()], templates, description=told, source=source, license=license)


def _question(
    row: Mapping[str, Any], columns: Columns, where: str, group: str | None
) -> Fact | None:
    """A row's question; None where two of its options are alike."""
    question = text_at(row, columns.question, where)
    if isinstance(columns.choices, str):
        choices = texts_at(row, columns.choices, where)
    else:
        choices = [text_at(row, name, where) for name in columns.choices]
    if len(choices) != OPTIONS:
        raise InputError(f"{where}: it has {len(choices)} options, and a question has {OPTIONS}.")
    if not all(choice.strip() for choice in choices):
        raise InputError(f"{where}: an option is blank; give it words or leave the row out.")
    if columns.group is not None:
        group = text_at(row, columns.group, where).replace("_", " ")
    place = _place(value_at(row, columns.answer, where), columns.answer, where)
    if len({choice.strip() for choice in choices}) < OPTIONS:
        return None
    wrong = [choice for index, choice in enumerate(choices) if index != place]
    return make_fact(question.strip(), choices[place], wrong, id=where, group=group, place=place)


def _place(answer: Any, name: str, where: str) -> int:
    """The right option's place, which the row gives as a number or a letter."""
    place = LETTERS.find(answer) if isinstance(answer, str) and len(answer) == 1 else answer
    if not isinstance(place, int) or isinstance(place, bool) or not 0 <= place < OPTIONS:
        # More than a letter or two may be a text of a set that is never shown.
        shown = not isinstance(answer, str) or len(answer) <= 2
        told = f", not {quote(answer)[:20]}" if shown else ""
        raise InputError(
            f"{where}: {name!r} must be a place from 0 to {OPTIONS - 1} or a letter from "
            f"{LETTERS[0]} to {LETTERS[-1]}{told}."
        )
    return place
