"""Names of sets, what they mean, and what of a collection is in a result's key."""

import dataclasses
from pathlib import Path

import pytest

from mansu.collections import draw_pairs, load_beside, load_set, locate_set
from mansu.data.companions import load_companions
from mansu.data.facts import load_fact_set
from mansu.data.pairs import build_pairs
from mansu.errors import InputError
from mansu.paths import short_name
from mansu.study.config import make_config
from mansu.study.folders import Folders, study_folders
from mansu.study.run import Run
from mansu.study.stages.attack import find_aim
from mansu.study.stages.draw import draw
from tests.study.examples import example

SUMS = example("COLLECTION")
LONE = '''"""A set that is no set."""

from mansu.collections import Collection

COLLECTION = Collection("lone", lambda part: part)
'''


@pytest.fixture
def put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Puts a collection into a folder of plugs, which becomes the user's own."""

    def write(name: str, text: str, place: str = "plugs") -> None:
        folder = tmp_path / place / "collections"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
        monkeypatch.setenv("MANSU_PLUGS", str(tmp_path / place))

    return write


def test_a_bare_word_a_path_and_facts_before_a_colon_mean_the_same_fact_set() -> None:
    capitals = load_fact_set("capitals")
    assert load_set("capitals") == load_set("facts:capitals") == capitals
    assert load_set(str(capitals.path)) == capitals
    assert locate_set("facts:capitals") == locate_set("capitals") == "capitals"
    assert locate_set("./mine.jsonl") == str(Path("mine.jsonl").absolute())
    assert load_beside(load_set("capitals")) == load_companions(capitals)


def test_a_file_of_a_collection_is_named_from_the_root_and_printed_by_its_last_part() -> None:
    located = locate_set("mcq:./science.yaml")
    assert located == f"mcq:{Path('science.yaml').absolute()}"
    assert [*map(short_name, (located, "wmdp:bio", "/a/b.jsonl", "capitals"))] == [
        *("mcq:science.yaml", "wmdp:bio", "b.jsonl", "capitals")
    ]


def test_pairs_of_facts_are_those_of_another_subject_in_the_same_words(tiny) -> None:
    capitals = load_set("capitals")
    pairs = draw_pairs(capitals, tiny.tokenizer, 5, 0)
    assert pairs == build_pairs(load_fact_set("capitals"), tiny.tokenizer, 5, 0)


def test_an_unknown_collection_is_told_what_may_have_been_meant() -> None:
    for name in ("fact:capitals", "nothing:at-all"):
        with pytest.raises(InputError, match=f"'{name.split(':')[0]}' is unknown"):
            make_config({"forget": name})
    with pytest.raises(InputError, match="did you mean 'facts'"):
        load_set("fact:capitals")


def test_a_collection_that_loads_no_set_is_refused_naming_its_file(put) -> None:
    put("lone", LONE)
    with pytest.raises(InputError, match=r"lone:x: .*lone\.py must load a FactSet"):
        load_set("lone:x")


def test_a_set_of_a_collection_has_its_whole_name_and_a_folder_of_its_own(put) -> None:
    put("sums", SUMS)
    small, large = load_set("sums:3"), load_set("sums:4")
    assert (small.name, str(small.path), small.collection) == ("sums:3", "sums:3", "sums")
    assert len({small.fingerprint, large.fingerprint, load_set("sums:3").fingerprint}) == 2
    places = {
        study_folders(make_config({"forget": name}), Path("study")).shared
        for name in ("sums:3", "sums:4", "capitals")
    }
    assert len(places) == 3
    assert all(":" not in str(place) for place in places)


OTHER_PAIRS = """from mansu.data.pairs import build_pairs

{sums}
def other_pairs(facts, tokenizer, count, seed, pool):
    return build_pairs(facts, tokenizer, count, seed + 1, pool)


COLLECTION = Collection("sums", load, pairs=other_pairs)
""".format(sums=SUMS.split("COLLECTION")[0])


@pytest.mark.parametrize(
    ("changed", "asks_otherwise"),
    [
        (SUMS.replace("{subject} is", "{subject} gives"), True),
        (SUMS.replace("str(a + b)", "str(a + b + 50)"), True),
        (
            "from mansu.data.pairs import build_pairs\n"
            + SUMS.split("COLLECTION")[0]
            + OTHER_PAIRS,
            False,
        ),
    ],
)
def test_what_a_collection_asks_and_the_pairs_it_makes_are_in_the_keys(
    put, tiny, tmp_path: Path, tiny_config, changed: str, asks_otherwise: bool
) -> None:
    config = dataclasses.replace(tiny_config, forget="sums:5")
    found = []
    for number, text in enumerate((SUMS, SUMS + "\n# a comment\n", changed)):
        put("sums", text, f"plugs-{number}")
        run = Run(config, Folders(tmp_path / "run", tmp_path / "shared"), model=tiny)
        found.append((run.forget.fingerprint, draw.key(run), find_aim.key(run, "fp")))
    first, same, other = found
    assert first == same
    assert (first[0] != other[0]) is asks_otherwise
    assert first[1] != other[1]  # what is drawn: items and pairs
    assert (first[2] != other[2]) is asks_otherwise  # attacks draw no pairs


def test_what_a_masked_collection_stumbles_over_is_not_quoted(put) -> None:
    head = LONE.split("COLLECTION")[0] + 'def load(part):\n    raise ValueError("secret")\n\n\n'
    put("lone", head + 'COLLECTION = Collection("lone", load)\n')
    with pytest.raises(InputError, match=r"lone:x: it cannot be loaded \(ValueError: secret\)"):
        load_set("lone:x")
    put("shy", head + 'COLLECTION = Collection("shy", load, masked=True)\n')
    with pytest.raises(InputError, match=r"shy:x: it cannot be loaded \(ValueError\)"):
        load_set("shy:x")
