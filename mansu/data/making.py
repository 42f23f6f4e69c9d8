"""Sets that code makes: the facts and the set, checked as those of a file are."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from mansu.data.facts import FactSet, side_of
from mansu.data.schema import TemplateRecord
from mansu.data.templates import Fact, Template
from mansu.errors import InputError

FEWEST = 3  # wrong answers of a fact


def make_fact(
    subject: str,
    answer: str,
    wrong: Sequence[str],
    *,
    id: str | None = None,
    group: str | None = None,
    place: int = 0,
) -> Fact:
    """A fact, on the side that its id puts it.

    Args:
        subject: What the prompt names.
        answer: What follows the prompt.
        wrong: Wrong answers, at least three.
        id: Unique in its set; the subject where nothing is said.
        group: A part of the set that it belongs to.
        place: Where the answer stands among the options when all of them are listed.

    Raises:
        InputError: A text is blank, there are too few wrong answers, or two options are alike.
    """
    name = subject if id is None else id
    options = (answer, *wrong)
    if not all(text.strip() for text in (subject, *options)):
        raise InputError(f"The fact {name!r} has a blank subject or option; give it words.")
    if len(wrong) < FEWEST:
        raise InputError(f"The fact {name!r} needs at least {FEWEST} wrong answers; add some.")
    if len({text.strip() for text in options}) < len(options):
        raise InputError(f"The fact {name!r} has two options that are alike; change one of them.")
    return Fact(name, subject, answer, tuple(wrong), side_of(name), group, place)


def make_set(
    facts: Sequence[Fact],
    templates: Sequence[Template],
    *,
    description: str = "",
    source: str = "",
    license: str = "",
) -> FactSet:
    """A set of facts under templates; :func:`mansu.collections.load_set` gives it its name.

    Args:
        facts: The facts.
        templates: How they are asked, in any role.
        description: What the facts say.
        source: Where they come from.
        license: The source's licence.

    Raises:
        InputError: There is no fact or no template that training sees, an id is used twice, or a
            template is none that a file could hold.
    """
    if not facts:
        raise InputError("The set has no facts; a set needs one at least.")
    if not any(template.role == "seen" for template in templates):
        raise InputError("The set has no template that training sees; give one the role 'seen'.")
    for what, ids in (("fact", facts), ("template", templates)):
        (name, uses), *_ = Counter(one.id for one in ids).most_common(1)
        if uses > 1:
            raise InputError(f"The set uses the {what} id {name!r} twice; an id names one.")
    for template in templates:
        _require_whole(template)
    asked = tuple(template for template in templates if template.role in ("seen", "held_out"))
    probes = tuple(template for template in templates if template.role in ("far", "reverse"))
    made = FactSet("", description, source, license, asked, tuple(facts), "", Path(), probes)
    return replace(made, fingerprint=_fingerprint(made))


def _require_whole(template: Template) -> None:
    """Refuses what no file could hold; a template of another class words its facts itself."""
    if type(template) is not Template:
        return
    try:
        TemplateRecord(id=template.id, kind=template.kind, role=template.role, text=template.text)
    except ValidationError as error:
        words = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise InputError(f"The template {template.id!r} is none: {words}.") from None


def _fingerprint(facts: FactSet) -> str:
    """SHA-256 over all that the set asks, whatever code put it into words."""
    told = [
        [fact.id, fact.split, fact.group]
        + [
            [template.id, template.role, template.render(fact)]
            + [template.follow(fact, option) for option in fact.options]
            for template in (*facts.templates, *facts.probes)
        ]
        for fact in facts.facts
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()
