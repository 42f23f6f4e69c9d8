"""Whatever a fact file holds, it is read as it should be or refused in one sentence."""

import json
from contextlib import suppress
from pathlib import Path

from hypothesis import strategies as st

from mansu.data.companions import load_companions
from mansu.data.facts import load_fact_set
from mansu.errors import InputError
from tests.fuzz.conftest import lengths
from tests.fuzz.hostile import altered, as_json, damaged, values

TEMPLATES = [
    {"id": "t", "kind": "cloze", "role": "seen", "text": "The colour of {subject} is"},
    {"id": "q", "kind": "question", "role": "held_out", "text": "What colour is {subject}?"},
    {"id": "c", "kind": "chat", "role": "far", "text": "What colour has {subject}?\nIt is"},
    {"id": "r", "kind": "cloze", "role": "reverse", "text": "Of the colour {answer} is"},
]
HEADER = {
    "record": "set",
    "name": "colours",
    "description": "é",
    "templates": TEMPLATES,
    "neighbours": "opposites",
    "pool": "units",
}
FACTS = [
    {
        "record": "fact",
        "id": f"f{n}",
        "subject": f"thing {n}",
        "answer": "green",
        "distractors": ["red", "blue", "white"],
        "group": "plants",
        "split": "train",
    }
    for n in range(4)
]
VALID = b"\n".join(map(as_json, [HEADER, *FACTS]))


@st.composite
def misfits(draw: st.DrawFn) -> bytes:
    """A file of valid records of which one or two are altered, repeated, moved or lost."""
    records: list = [HEADER, *FACTS]
    for _ in range(draw(st.integers(1, 2))):
        spot = draw(st.integers(0, len(records) - 1))
        match draw(st.sampled_from(["alter", "alter", "alter", "repeat", "lose", "other"])):
            case "alter" if isinstance(records[spot], dict) and records[spot]:
                records[spot] = draw(altered(records[spot]))
            case "repeat":
                records.insert(draw(st.integers(0, len(records))), records[spot])
            case "lose" if len(records) > 1:
                del records[spot]
            case _:
                records[spot] = draw(values)
    return draw(st.sampled_from([b"\n", b"\r\n", b"\n\n"])).join(map(as_json, records))


def read(path: Path) -> None:
    facts = load_fact_set(str(path))
    # What was accepted is what the rest of the library may rely on.
    assert facts.facts
    assert facts.seen
    assert len({fact.id for fact in facts.facts}) == len(facts.facts)
    for fact in facts.facts:
        assert len(fact.options) >= 4
        assert len(set(fact.options)) == len(fact.options)
        assert all(option.strip() for option in fact.options)
        for template in (*facts.templates, *facts.far):
            assert fact.subject in template.render(fact)
        for template in facts.reverse:
            assert fact.answer in template.render(fact)
    assert all(template.role in ("seen", "held_out") for template in facts.templates)
    with suppress(InputError):
        load_companions(facts)
    # Whatever Python's own reader makes of the file, no fact was made up.
    text = path.read_bytes().decode("utf-8-sig")
    told = [json.loads(line) for line in text.split("\n") if line.strip()]
    assert [record["id"] for record in told[1:]] == [fact.id for fact in facts.facts]


@lengths(60, 600)
def test_no_bytes_break_the_reader_of_fact_files(fuzz, tries: int) -> None:
    fuzz("fact file: damaged bytes", damaged([VALID]) | st.binary(max_size=300), tries, read)


@lengths(100, 800)
def test_no_records_break_the_reader_of_fact_files(fuzz, tries: int) -> None:
    fuzz("fact file: wrong records", misfits(), tries, read)
