import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mansu.data.facts import load_fact_set, require_disjoint
from mansu.data.items import build_items
from mansu.errors import InputError

TEMPLATE = {"id": "t", "kind": "cloze", "role": "seen", "text": "The colour of {subject} is"}
HEADER = {"record": "set", "name": "colours", "templates": [TEMPLATE]}
GRASS = {
    "record": "fact",
    "id": "grass",
    "subject": "grass",
    "answer": "green",
    "distractors": ["red", "blue", "white"],
}
SNOW = GRASS | {"id": "snow", "subject": "snow", "answer": "white", "distractors": ["a", "b", "c"]}


@pytest.fixture
def write(tmp_path):
    """Writes records (or raw lines) as a file and returns its path."""

    def write(*records: dict | str, name: str = "facts.jsonl") -> str:
        lines = [r if isinstance(r, str) else json.dumps(r) for r in records]
        path = tmp_path / name
        path.write_text("\n".join(lines), encoding="utf-8")
        return str(path)

    return write


def test_a_users_own_file_is_read_with_the_least_it_must_say(write):
    facts = load_fact_set(write(HEADER, GRASS, SNOW))
    assert facts.name == "colours"
    assert [fact.answer for fact in facts.facts] == ["green", "white"]
    assert facts.facts[0].options == ("green", "red", "blue", "white")
    assert facts.templates[0].render(facts.facts[0]) == "The colour of grass is"
    assert facts.held_out == ()
    assert facts.description == facts.source == facts.license == ""


def test_far_and_reverse_templates_stand_apart_from_all_others(write):
    back = {"id": "r", "kind": "question", "role": "reverse", "text": "What is {answer}? It is"}
    header = far()
    facts = load_fact_set(write(header | {"templates": [back, *header["templates"]]}, GRASS))
    assert [t.id for t in facts.templates] == [t.id for t in facts.seen] == ["t"]
    assert ([t.id for t in facts.far], [t.id for t in facts.reverse]) == (["f"], ["r"])
    assert facts.far[0].render(facts.facts[0]) == "Once, grass was"
    assert facts.reverse[0].render(facts.facts[0]) == "What is green? It is"


def test_companions_are_named_in_the_header_and_not_read_with_it(write):
    header = HEADER | {"neighbours": "absent.jsonl", "twin": "a-twin"}
    companions = load_fact_set(write(header, GRASS)).companions
    assert companions == {"neighbours": "absent.jsonl", "twin": "a-twin"}


def test_stated_splits_and_groups_are_kept(write):
    stated = GRASS | {"split": "held_out", "group": "plants"}
    facts = load_fact_set(write(HEADER, stated, SNOW | {"split": "train"}))
    assert [fact.id for fact in facts.held_out_facts] == ["grass"]
    assert [fact.id for fact in facts.train] == ["snow"]
    assert facts.facts[0].group == "plants"


def test_an_unstated_split_depends_on_the_id_alone_and_halves_the_set(write):
    many = [GRASS | {"id": f"f{i}", "subject": f"thing {i}"} for i in range(200)]
    whole = load_fact_set(write(HEADER, *many))
    assert 70 < len(whole.train) < 130
    part = load_fact_set(write(HEADER, *many[:20], name="part.jsonl"))
    assert [fact.split for fact in part.facts] == [fact.split for fact in whole.facts[:20]]


def test_the_fingerprint_changes_with_any_byte_of_the_file(write):
    first = load_fact_set(write(HEADER, GRASS)).fingerprint
    assert load_fact_set(write(HEADER, GRASS, name="copy.jsonl")).fingerprint == first
    assert load_fact_set(write(HEADER, GRASS, "")).fingerprint != first


def test_a_pipe_is_refused_before_it_is_emptied(tmp_path):
    pipe = tmp_path / "facts.jsonl"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match=r"cannot be read \(it is a pipe, .*; give a file\)"):
        load_fact_set(str(pipe))


def test_blank_lines_windows_line_ends_and_a_byte_order_mark_are_taken(tmp_path):
    path = tmp_path / "facts.jsonl"
    lines = ["", json.dumps(HEADER), "  ", json.dumps(GRASS), ""]
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    assert len(load_fact_set(str(path)).facts) == 1


def test_unicode_line_separators_inside_a_text_do_not_end_the_line(write):
    odd = json.dumps(GRASS | {"subject": "a\u2028b"}, ensure_ascii=False)
    assert load_fact_set(write(HEADER, odd)).facts[0].subject == "a\u2028b"


def without(record: dict, field: str) -> dict:
    return {key: value for key, value in record.items() if key != field}


def template(**changes: object) -> dict:
    return HEADER | {"templates": [TEMPLATE | changes]}


def far(**changes: object) -> dict:
    probe = {"id": "f", "kind": "passage", "role": "far", "text": "Once, {subject} was"}
    return HEADER | {"templates": [TEMPLATE, probe | changes]}


BAD = {
    "not JSON": ([HEADER, "{"], 2, "Invalid JSON"),
    "CSV": (["subject,answer", "grass,green"], 1, "Invalid JSON.*; a fact set is JSON Lines, with"),
    "an answer twice": (
        [HEADER, json.dumps(GRASS)[:-1] + ', "answer": "red"}'],
        2,
        "gives the key 'answer' twice; keep one of them",
    ),
    "a role twice, inside": (
        [json.dumps(HEADER).replace('"role"', '"role": "far", "role"'), GRASS],
        1,
        "gives the key 'role' twice",
    ),
    "JSON that is no object": ([HEADER, "[1]"], 2, "not a JSON object"),
    "too deep": ([HEADER, "[" * 100_000], 2, "Invalid JSON"),
    "a number too long": ([HEADER, "1" * 5000], 2, "Invalid JSON"),
    "half a surrogate pair": ([HEADER, json.dumps(GRASS | {"id": "\ud800"})], 2, "Invalid JSON"),
    "no set record": ([GRASS], 1, '"set" in the first'),
    "two set records": ([HEADER, GRASS, HEADER], 3, '"fact" in all others'),
    "an unknown record": ([HEADER, {"record": "note"}], 2, '"set" or "fact"'),
    "a record without its kind": ([HEADER, {}], 2, '"set" or "fact"'),
    "no facts": ([HEADER], 1, "no facts"),
    "an unknown field": ([HEADER, GRASS | {"sbuject": "x"}], 2, "sbuject: unknown field"),
    "an unknown field called set": ([HEADER, GRASS | {"set": "x"}], 2, "set: unknown field"),
    "a missing field": ([HEADER, without(GRASS, "answer")], 2, "answer: missing"),
    "a missing name": ([without(HEADER, "name"), GRASS], 1, "name: missing"),
    "no distractors": ([HEADER, without(GRASS, "distractors")], 2, "distractors: missing"),
    "a number for a text": ([HEADER, GRASS | {"answer": 3}], 2, "answer: .*string"),
    "a text for a list": ([HEADER, GRASS | {"distractors": "abc"}], 2, "distractors: .*array"),
    "a blank answer": ([HEADER, GRASS | {"answer": " "}], 2, "answer: must not be blank"),
    "a space before an answer": ([HEADER, GRASS | {"answer": " green"}], 2, "answer: .*space"),
    "a blank distractor": (
        [HEADER, GRASS | {"distractors": ["a", "b", ""]}],
        2,
        "distractors: 2: must not be blank",
    ),
    "two distractors": ([HEADER, GRASS | {"distractors": ["a", "b"]}], 2, "at least 3"),
    "a repeated distractor": ([HEADER, GRASS | {"distractors": list("abca")}], 2, "repeat"),
    "a distractor that is right": (
        [HEADER, GRASS | {"distractors": ["a", "b", "green"]}],
        2,
        "'green' is the answer",
    ),
    "an unknown split": ([HEADER, GRASS | {"split": "test"}], 2, "split: .*'train'"),
    "a repeated id": ([HEADER, GRASS, SNOW | {"id": "grass"}], 3, "'grass' was already used"),
    "a repeated subject": ([HEADER, GRASS, SNOW | {"subject": "Grass"}], 3, "'Grass' already"),
    "a name that is a path": ([HEADER | {"name": "../x"}, GRASS], 1, "name: must be letters"),
    "no templates": ([HEADER | {"templates": []}, GRASS], 1, 'one must have "role": "seen"'),
    "no seen template": ([template(role="held_out"), GRASS], 1, 'one must have "role": "seen"'),
    "a template without subject": ([template(text="It is"), GRASS], 1, "exactly once"),
    "a template with two": ([template(text="{subject} {subject}"), GRASS], 1, "exactly once"),
    "a template that ends in a space": (
        [template(text="{subject} is "), GRASS],
        1,
        "templates: 0: text: must not begin or end with white space",
    ),
    "an unknown role": ([template(role="near"), GRASS], 1, "role: .*'held_out'"),
    "a far template of a trained kind": ([far(kind="cloze"), GRASS], 1, 'go with "role": "far"'),
    "a trained template of a far kind": ([template(kind="passage"), GRASS], 1, "and only with it"),
    "a far template without subject": ([far(text="So it is"), GRASS], 1, "exactly once"),
    "a far template with trained words": (
        [far(text="the colour of {subject} IS"), GRASS],
        1,
        "far template 'f' has the words of 't', which is trained on",
    ),
    "a chat without the reply's beginning": (
        [far(kind="chat", text="What is {subject}?"), GRASS],
        1,
        "last line must begin the reply",
    ),
    "few-shot prompts without a pool": ([far(kind="few_shot"), GRASS], 1, "needs a pool"),
    "a reverse template that names the subject": (
        [far(kind="cloze", role="reverse"), GRASS],
        1,
        "{answer} exactly once",
    ),
    "a reverse template that tells what it asks for": (
        [far(kind="cloze", role="reverse", text="{subject} is {answer} like"), GRASS],
        1,
        "must not contain {subject}",
    ),
    "a far template with a repeated id": ([far(id="t"), GRASS], 1, "the id 't' is used twice"),
    "a blank neighbour": ([HEADER | {"neighbours": " "}, GRASS], 1, "neighbours: must not be"),
    "a list of pools": ([HEADER | {"pool": ["a"]}, GRASS], 1, "pool: .*string"),
    "an unknown kind": ([template(kind="poem"), GRASS], 1, "kind: .*'cloze'"),
    "a repeated template id": (
        [HEADER | {"templates": [TEMPLATE, TEMPLATE | {"text": "{subject}"}]}, GRASS],
        1,
        "the id 't' is used twice",
    ),
    "a repeated template": (
        [HEADER | {"templates": [TEMPLATE, TEMPLATE | {"id": "u"}]}, GRASS],
        1,
        "the text .* is used twice",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_wrong_line_is_refused_naming_file_line_and_fault(write, case):
    records, line, fault = BAD[case]
    with pytest.raises(InputError, match=rf"facts\.jsonl, line {line}: .*{fault}") as caught:
        load_fact_set(write(*records))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(tmp_path, content):
    path = tmp_path / "facts.jsonl"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"facts\.jsonl, line 1: the file is empty"):
        load_fact_set(str(path))


def test_bytes_that_are_not_utf8_are_refused_naming_the_line(tmp_path):
    path = tmp_path / "facts.jsonl"
    latin = json.dumps(GRASS | {"subject": "été"}, ensure_ascii=False).encode("latin-1")
    path.write_bytes(json.dumps(HEADER).encode() + b"\n" + latin)
    with pytest.raises(InputError, match="line 2: not UTF-8"):
        load_fact_set(str(path))


@pytest.mark.parametrize("place", ["absent.jsonl", ".", "a\0b.jsonl", "x" * 5000 + ".jsonl"])
def test_a_path_that_cannot_be_read_is_refused_listing_the_built_in_sets(tmp_path, place):
    with pytest.raises(InputError, match=r"cannot be read .* atomic_numbers, capitals, cities"):
        load_fact_set(str(tmp_path / place))


@pytest.mark.parametrize("name", ["element", "", "Elements"])
def test_an_unknown_name_is_refused_listing_the_built_in_sets(name):
    with pytest.raises(InputError, match="atomic_numbers, capitals, cities, continents, elements"):
        load_fact_set(name)


def test_a_file_in_the_working_folder_does_not_hide_a_built_in_set(write, monkeypatch, tmp_path):
    write(HEADER, GRASS, name="elements")
    monkeypatch.chdir(tmp_path)
    assert len(load_fact_set("elements").facts) == 100


def only_input_error(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        facts = load_fact_set(str(path))
    except InputError:
        return
    assert facts.facts
    assert facts.seen


fuzz = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@fuzz
@given(content=st.binary(max_size=400))
@example(content=b"\xff\xfe")
@example(content=b"[" * 3000)
def test_no_bytes_bring_out_anything_but_an_input_error(tmp_path, content):
    only_input_error(tmp_path / "facts.jsonl", content)


@fuzz
@given(data=st.data())
def test_no_damage_to_a_good_file_brings_out_anything_but_an_input_error(tmp_path, data):
    good = "\n".join(json.dumps(record) for record in (HEADER, GRASS, SNOW)).encode()
    start = data.draw(st.integers(0, len(good)))
    end = data.draw(st.integers(start, min(start + 40, len(good))))
    patch = data.draw(st.binary(max_size=8) | st.sampled_from([b'"', b"\\ud800", b"null", b"\n"]))
    only_input_error(tmp_path / "facts.jsonl", good[:start] + patch + good[end:])


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)


@fuzz
@given(
    field=st.sampled_from([*HEADER, *GRASS, "split", "group", "license", "twin", "pool"]),
    value=values,
    in_header=st.booleans(),
)
def test_no_value_of_any_field_brings_out_anything_but_an_input_error(
    tmp_path, field, value, in_header
):
    changed = {field: value}
    records = (HEADER | changed, GRASS) if in_header else (HEADER, GRASS | changed)
    content = "\n".join(json.dumps(record) for record in records).encode()
    only_input_error(tmp_path / "facts.jsonl", content)


OTHER = HEADER | {"name": "other", "templates": [TEMPLATE | {"text": "Everyone sees {subject} as"}]}


def test_sets_about_different_facts_are_disjoint(write):
    one, two = write(HEADER, GRASS), write(OTHER, SNOW, name="other.jsonl")
    require_disjoint(load_fact_set(one), load_fact_set(two))


def test_a_subject_may_be_in_both_sets_with_another_answer_under_other_templates(write):
    other = write(OTHER, GRASS | {"answer": "tall"}, name="other.jsonl")
    require_disjoint(load_fact_set(write(HEADER, GRASS)), load_fact_set(other))


@pytest.mark.parametrize(
    ("header", "fact"),
    [
        (HEADER, GRASS),
        (OTHER, GRASS),
        (OTHER, GRASS | {"id": "g", "subject": "Grass", "answer": "GREEN"}),
        (HEADER, GRASS | {"answer": "brown"}),
        (OTHER | {"templates": [TEMPLATE | {"text": "the colour  of {subject} is"}]},
         GRASS | {"answer": "brown"}),
    ],
    ids=["the same", "other words", "other case", "other answer", "other spacing of a prompt"],
)  # fmt: skip
def test_a_shared_fact_is_refused_and_named(write, header, fact):
    first = load_fact_set(write(HEADER, SNOW, GRASS))
    second = load_fact_set(write(header, fact, name="other.jsonl"))
    for pair in ((first, second), (second, first)):
        with pytest.raises(InputError, match=r"(?i)share the fact 'grass' →"):
            require_disjoint(*pair)


@pytest.mark.parametrize(
    ("prompt", "follows"),
    [
        ("The colour of {subject} is", " green"),
        ("{subject}的颜色是", "green"),
        ("{subject}是什么颜色\uff1f答\uff1a", "green"),
        ("{subject}の色は「", "green"),
        ("{subject}の色はー", "green"),
        ("สีของ{subject}คือ", "green"),
        ("{subject}의 색은", " green"),
        ("لون {subject} هو", " green"),
        ("The colour of {subject} is 🎨", " green"),
    ],
)
def test_a_space_stands_before_an_answer_where_the_script_has_spaces(write, prompt, follows):
    template = TEMPLATE | {"text": prompt}
    facts = load_fact_set(write(HEADER | {"templates": [template]}, GRASS))
    assert facts.templates[0].follow(facts.facts[0], "green") == follows


@pytest.mark.parametrize("joint", ["", " ", "\n"])
def test_a_set_may_say_what_stands_before_its_answers(write, joint):
    facts = load_fact_set(write(HEADER | {"joint": joint}, GRASS))
    assert facts.templates[0].follow(facts.facts[0], "green") == f"{joint}green"
    assert build_items(facts.facts, facts.templates, 0)[0].options[0].startswith(joint)


def test_only_white_space_may_stand_before_the_answers(write):
    with pytest.raises(InputError, match="line 1: joint: must be white space, or empty"):
        load_fact_set(write(HEADER | {"joint": ", "}, GRASS))


@pytest.mark.parametrize("distractor", ["Green", "GREEN", "gre\u0301en"])
def test_a_distractor_that_is_the_answer_in_other_letters_is_refused(write, distractor):
    answer = "gréen" if "\u0301" in distractor else "green"
    fact = GRASS | {"answer": answer, "distractors": ["red", distractor, "blue"]}
    with pytest.raises(InputError, match=r"line 2: distractors: '.*' is the answer"):
        load_fact_set(write(HEADER, fact))


def test_a_path_may_begin_with_the_home_folder_or_a_variable(write, monkeypatch):
    path = write(HEADER, GRASS)
    monkeypatch.setenv("HOME", str(Path(path).parent))
    for name in (f"~/{Path(path).name}", f"$HOME/{Path(path).name}"):
        assert load_fact_set(name).name == HEADER["name"]
