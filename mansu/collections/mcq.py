"""Any multiple-choice set of the hub or of a folder: ``mcq:./FILE.yaml`` says where it is.

::

    path: ./science          # a folder, from the file's own, or a dataset on the hub
    name: ARC-Challenge      # its configuration there
    split: test
    question: stem           # columns; a.b is the field b of the column a
    choices: options         # a list of four options, or a list of four columns
    answer: label            # a place from 0, or a letter
    about: science           # ends the prompt's first sentence; without it there is none
    masked: no               # whether none of its texts may be shown

Only ``path`` must be there. Source: this project [O]; the prompt is lm-evaluation-harness's for
WMDP and MMLU.
"""

from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from mansu.collections.base import Collection
from mansu.data.facts import FactSet
from mansu.data.lettered_rows import Columns, make_questions
from mansu.data.letters import turned_pairs
from mansu.data.rows import Source, read_rows
from mansu.errors import InputError, first_line
from mansu.notation import parse_yaml, read_source
from mansu.paths import expand


class _Mapping(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    name: str | None = None
    split: str = "test"
    question: str = "question"
    choices: str | tuple[str, ...] = "choices"
    answer: str = "answer"
    about: str | None = None
    masked: bool = False


def load(part: str) -> FactSet:
    """The set that a YAML file describes."""
    file = expand(part)
    told = _read(file)
    folder = file.parent / expand(told.path)
    rows = read_rows(Source(folder, told.path, told.name, told.split))
    columns = Columns(told.question, told.choices, told.answer)
    found = make_questions(rows, columns, group=told.about, source=told.path)
    return replace(found, masked=told.masked)


def _read(file: Path) -> _Mapping:
    try:
        text = read_source(file).decode()
    except (OSError, ValueError) as error:
        raise InputError(f"it cannot be read ({first_line(error)}); give a YAML file.") from None
    known = ", ".join(_Mapping.model_fields)
    try:
        values = parse_yaml(text)
    except ValueError as error:
        raise InputError(f"the file {error}.") from None
    if not isinstance(values, dict):
        raise InputError(
            f"the file must be a mapping, such as path: ./FOLDER; it may give {known}."
        )
    try:
        return _Mapping.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = "".join(f"{name}: " for name in first["loc"][:1])
        words = first["msg"][:1].lower() + first["msg"][1:]
        raise InputError(f"{place}{words}; it may give {known}.") from None


COLLECTION = Collection("mcq", load, pairs=turned_pairs)
