"""A fact, and the templates that ask for it."""

import unicodedata
from dataclasses import dataclass
from typing import Literal

from mansu.data.schema import Kind, Role

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
        place: Where the answer stands among the options when all of them are listed.
    """

    id: str
    subject: str
    answer: str
    distractors: tuple[str, ...]
    split: Literal["train", "held_out"]
    group: str | None = None
    place: int = 0

    @property
    def options(self) -> tuple[str, ...]:
        """The answer, then the distractors."""
        return (self.answer, *self.distractors)

    @property
    def listed(self) -> tuple[str, ...]:
        """The options in the order in which a question lists them."""
        return (*self.distractors[: self.place], self.answer, *self.distractors[self.place :])


@dataclass(frozen=True)
class Template:
    """One phrasing of a relation; its text ends where the answer follows.

    Attributes:
        id: Unique in its set.
        text: Contains ``{subject}`` exactly once; in the role ``reverse``, ``{answer}`` instead.
        kind: The grammatical form, or the kind of prompt around the text (``mansu.data.far``).
        role: Whether training sees it (``seen``) or never does: other wording (``held_out``), other
            kinds of prompts (``far``), or the question for the subject (``reverse``).
        joint: The white space between prompt and answer. None: a space, or nothing where the prompt
            ends in a script that is written without spaces.
        form_of: The template that this is a shortened form of (``mansu.data.wording``).
    """

    id: str
    text: str
    kind: Kind
    role: Role
    joint: str | None = None
    form_of: str | None = None

    def render(self, fact: Fact) -> str:
        """The template's own words about the fact."""
        if self.role == "reverse":
            return self.text.replace("{answer}", fact.answer)
        return self.text.replace("{subject}", fact.subject)

    def follow(self, fact: Fact, option: str) -> str:
        """What continues the fact's prompt where ``option`` is the answer."""
        if self.joint is not None:
            return self.joint + option
        return option if _is_unspaced(self.render(fact)[-1]) else f" {option}"


def plain(text: str) -> str:
    """A text in comparable form: case, white space and composition make no difference."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def _is_unspaced(character: str) -> bool:
    """Whether a word that follows this character follows it without a space."""
    name = unicodedata.name(character, "")
    wide = unicodedata.east_asian_width(character) in "WF" and not name.startswith("HANGUL")
    symbol = unicodedata.category(character).startswith("S")  # an emoji is wide, too
    return (wide and not symbol) or name.startswith(_WITHOUT_SPACES)
