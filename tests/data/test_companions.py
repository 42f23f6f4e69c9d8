import json

import pytest

from mansu.data.companions import load_companions, require_untrained
from mansu.data.facts import fact_set_names, load_fact_set
from mansu.errors import InputError

SEEN = {"id": "t", "kind": "cloze", "role": "seen", "text": "The colour of {subject} is"}
SHOTS = {"id": "f", "kind": "few_shot", "role": "far", "text": "{subject}:"}
HEADER = {"record": "set", "name": "colours", "templates": [SEEN]}
OTHER = HEADER | {"name": "other", "templates": [SEEN | {"text": "They sell {subject} as"}]}


def fact(subject: str, answer: str = "green") -> dict:
    wrong = [c for c in ("red", "blue", "white", "green") if c != answer]
    return {
        "record": "fact",
        "id": subject,
        "subject": subject,
        "answer": answer,
        "distractors": wrong,
    }


@pytest.fixture
def named(tmp_path):
    """Loads a set about grass and snow that names the given records as one of its companions."""

    def named(role: str, *records: dict, templates: tuple = (SEEN,)):
        for name, lines in {
            "own.jsonl": (
                HEADER | {role: "beside/it.jsonl", "templates": templates},
                fact("grass"),
                fact("snow", "white"),
            ),
            "beside/it.jsonl": records,
        }.items():
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
        return load_fact_set(str(tmp_path / "own.jsonl"))

    return named


def test_a_path_is_taken_from_the_folder_of_the_file_that_names_it(named, tmp_path, monkeypatch):
    facts = named("neighbours", OTHER, fact("tar", "blue"))
    monkeypatch.chdir(tmp_path.parent)
    loaded = load_companions(facts)
    assert loaded.neighbours is not None
    assert [f.subject for f in loaded.neighbours.facts] == ["tar"]
    assert loaded.far_utility is loaded.twin is loaded.pool is None


def test_a_path_may_begin_at_home_or_with_a_variable_wherever_a_file_names_it(
    named, tmp_path, monkeypatch
):
    named("neighbours", OTHER, fact("tar", "blue"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SETS", str(tmp_path))
    for name in ("~/beside/it.jsonl", "$SETS/beside/it.jsonl", "./beside/../beside/it.jsonl"):
        path = tmp_path / "own.jsonl"
        lines = (HEADER | {"neighbours": name}, fact("grass"))
        path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
        assert load_companions(load_fact_set(str(path))).neighbours is not None


def test_a_bare_word_names_a_built_in_set_and_naming_nothing_is_allowed(tmp_path):
    path = tmp_path / "own.jsonl"
    for header, expected in ((HEADER, None), (HEADER | {"far_utility": "opposites"}, "opposites")):
        path.write_text("\n".join(map(json.dumps, (header, fact("grass")))), encoding="utf-8")
        far = load_companions(load_fact_set(str(path))).far_utility
        assert (far and far.name) == expected


@pytest.mark.parametrize("role", ["neighbours", "far_utility", "twin", "pool"])
def test_a_companion_that_cannot_be_read_is_told_with_the_file_that_names_it(named, role):
    with pytest.raises(InputError, match=rf"own\.jsonl, {role}: .*it\.jsonl, line 1") as caught:
        load_companions(named(role, {"record": "set"}))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("role", ["neighbours", "far_utility"])
@pytest.mark.parametrize(
    ("records", "fault"),
    [
        ((OTHER, fact("Grass")), "share the fact 'Grass'"),
        ((HEADER, fact("grass", "red")), "share the fact 'grass'"),
        ((HEADER, fact("tar", "blue")), "template 't' is also 't' of 'colours'"),
        (
            (
                OTHER | {"templates": [SEEN | {"text": "the COLOUR of  {subject} is"}]},
                fact("tar", "blue"),
            ),
            "template 't' is also 't' of 'colours'",
        ),
    ],
    ids=["a forget fact", "a forget prompt", "a training template", "the same in other case"],
)
def test_a_measured_set_that_names_what_is_trained_on_is_refused(named, role, records, fault):
    with pytest.raises(InputError, match=fault):
        load_companions(named(role, *records))


def test_a_measured_set_may_not_share_wording_with_the_retain_set_either():
    capitals, languages = load_fact_set("capitals"), load_fact_set("languages")
    require_untrained(languages, capitals)
    with pytest.raises(InputError, match="share the fact"):
        require_untrained(languages, languages)


@pytest.mark.parametrize("subject", ["Grass", "the grass", "Paris", "Switzerland", "Netherlands"])
def test_a_twin_with_a_real_subject_is_refused(named, subject):
    with pytest.raises(InputError, match=rf"it\.jsonl: '{subject}' is real .* made-up subjects"):
        load_companions(named("twin", HEADER, fact("blorf"), fact(subject)))


def test_a_twin_is_asked_in_the_templates_of_its_set(named):
    far = {"id": "p", "kind": "passage", "role": "far", "text": "Once upon a time {subject} was"}
    facts = named("twin", OTHER, fact("blorf"), templates=(SEEN, far))
    twin = load_companions(facts).twin
    assert twin is not None
    assert (twin.templates, twin.probes) == (facts.templates, facts.probes)
    assert [f.subject for f in twin.facts] == ["blorf"]


def test_a_pool_must_not_hold_a_subject_of_its_set(named):
    with pytest.raises(InputError, match="'Snow' is a subject of 'colours'"):
        load_companions(named("pool", HEADER, fact("Snow", "blue")))


def test_a_pool_for_few_shot_prompts_needs_five_examples_with_other_answers(named):
    grown = [fact(f"plant {i}") for i in range(9)]
    others = [fact(f"flower {i}", "red") for i in range(5)]
    load_companions(named("pool", HEADER, *grown))  # no few-shot template asks for them
    with pytest.raises(InputError, match="for 'grass' needs 5 examples with other answers"):
        load_companions(named("pool", HEADER, *grown, *others[:4], templates=(SEEN, SHOTS)))
    load_companions(named("pool", HEADER, *grown, *others, templates=(SEEN, SHOTS)))


@pytest.mark.parametrize("name", fact_set_names())
def test_the_built_in_companions_fit(name):
    facts = load_fact_set(name)
    loaded = load_companions(facts)
    for role in facts.companions:
        assert getattr(loaded, role) is not None
    if loaded.twin is not None:
        assert len(loaded.twin.facts) == len(facts.facts)
