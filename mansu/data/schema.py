"""What a line of a fact file may hold.

A file is JSON Lines: first the set's own record, then a record for each fact. Unknown fields are
errors, because a misspelt optional field would otherwise be ignored in silence.
"""

from typing import Annotated, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from mansu.notation import parse_json

Language = Literal["french", "spanish", "german"]
Kind = (
    Literal["cloze", "possessive", "question", "few_shot", "letters", "chat", "passage"] | Language
)
Role = Literal["seen", "held_out", "far", "reverse"]
# How a prompt that is far from training is written; all other kinds are grammatical forms.
LANGUAGES: tuple[str, ...] = get_args(Language)
FAR_KINDS = ("few_shot", "letters", "chat", "passage", *LANGUAGES)
# Sets that a set may name, as built-in names or as paths from its own file's folder.
COMPANIONS = ("neighbours", "far_utility", "twin", "pool")


def _require_text(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be blank")
    if value != value.strip():
        raise ValueError("must not begin or end with white space")
    return value


def _require_white_space(text: str) -> str:
    if text.strip():
        raise ValueError("must be white space, or empty")
    return text


def _require_distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(values)) < len(values):
        raise ValueError("must not repeat an entry")
    return values


Text = Annotated[str, AfterValidator(_require_text)]
# A set's name becomes a folder's name.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class TemplateRecord(_Record):
    """One phrasing of the set's relation."""

    id: Text
    kind: Kind
    role: Role
    text: Text

    @model_validator(mode="after")
    def _require_fitting(self) -> Self:
        named, other = "{subject}", "{answer}"
        if self.role == "reverse":
            named, other = other, named
        if self.text.count(named) != 1:
            raise ValueError(f"text: must contain {named} exactly once")
        if self.role == "reverse" and other in self.text:
            raise ValueError(f"text: must not contain {other}, which a reverse template asks for")
        if (self.role == "far") != (self.kind in FAR_KINDS):
            raise ValueError(f'kind: {", ".join(FAR_KINDS)} go with "role": "far" and only with it')
        if self.kind == "chat" and "\n" not in self.text:
            raise ValueError("text: of a chat template, the last line must begin the reply")
        return self


class SetRecord(_Record):
    """The first line of a file."""

    record: Literal["set"]
    name: Name
    description: str = ""
    source: str = ""
    license: str = ""
    command: str = ""
    joint: Annotated[str, AfterValidator(_require_white_space)] | None = None
    templates: tuple[TemplateRecord, ...]
    neighbours: Text | None = None
    far_utility: Text | None = None
    twin: Text | None = None
    pool: Text | None = None


class FactRecord(_Record):
    """Every other line."""

    record: Literal["fact"]
    id: Text
    subject: Text
    answer: Text
    distractors: Annotated[tuple[Text, ...], Field(min_length=3), AfterValidator(_require_distinct)]
    group: Text | None = None
    split: Literal["train", "held_out"] | None = None


_LINE = TypeAdapter(Annotated[SetRecord | FactRecord, Field(discriminator="record")])

# pydantic's words for the most likely mistakes, in this project's.
_PLAINER = {
    "extra_forbidden": "unknown field",
    "missing": "missing",
    "dict_type": "not a JSON object",
    "too_short": "needs at least 3 entries",
    "string_pattern_mismatch": "must be letters, digits, '-' and '_', 64 at most",
    "union_tag_invalid": 'record: must be "set" or "fact"',
    "union_tag_not_found": 'record: must be "set" or "fact"',
}


def parse_line(line: bytes) -> SetRecord | FactRecord:
    """Reads one line.

    Raises:
        ValueError: with one sentence on the first thing that is wrong.
    """
    try:
        line.decode()
        record = _LINE.validate_json(line)
        parse_json(line)  # for which a key that is given twice is a mistake
        return record
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        # Where there is a location, the union's tag leads it; it is not part of the file.
        place = "".join(f"{part}: " for part in first["loc"][1:])
        # A column of this line: pydantic knows of no other, so its line number is always 1.
        words = first["msg"].removeprefix("Value error, ").replace("at line 1 column", "at column")
        if first["type"] == "json_invalid":
            words += "; a fact set is JSON Lines, with an object on each line"
        message = _PLAINER.get(first["type"], words)
        raise ValueError(place + message) from None
