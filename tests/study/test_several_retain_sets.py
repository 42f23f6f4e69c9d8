"""Several sets can be kept: each is trained on, checked and measured, and none is hidden."""

import dataclasses
import json
from pathlib import Path

import pytest

from mansu.data.facts import load_fact_set, several
from mansu.errors import InputError
from mansu.lab.dashboards.runs import change
from mansu.models import LanguageModel
from mansu.study.card_text import scorecard_table
from mansu.study.check import check, load_sets
from mansu.study.config import StudyConfig, make_config
from mansu.study.folders import Folders, study_folders
from mansu.study.pipeline import run_study
from mansu.study.run import Run
from mansu.study.stages.draw import draw
from mansu.study.stages.fisher import training_examples
from tests.study.small_sets import FAST, hurry, write_set, write_sets

BOTH = "capitals,us_cities"


@pytest.fixture
def run(tiny: LanguageModel, tiny_config: StudyConfig, tmp_path: Path) -> Run:
    config = make_config({**dataclasses.asdict(tiny_config), "retain": BOTH})  # pyright: ignore
    return Run(config, Folders(tmp_path / "run", tmp_path / "shared"), model=tiny)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("capitals", ("capitals",)),
        ("capitals, us_cities", ("capitals", "us_cities")),
        ("capitals,capitals,", ("capitals",)),
        (",", ()),
        ("", ()),
    ],
)
def test_a_text_names_sets_with_commas_between_them_each_once(text, names):
    assert several(text) == names


@pytest.mark.parametrize(
    ("retain", "utility", "told"),
    [
        ("kept.jsonl,./link.jsonl", "cities", "are the same set; name it once"),
        ("us_cities,kept.jsonl,copy.jsonl", "cities", "are the same set; name it once"),
        ("us_cities", "us_cities", "utility: .* is the retain set .*us_cities"),
        ("us_cities,kept.jsonl", "link.jsonl", "utility: .*link.jsonl is the retain set .*kept"),
    ],
)
def test_one_set_has_one_role_by_whatever_name_link_or_copy_it_is_given(
    retain, utility, told, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    write_set(tmp_path / "kept.jsonl", "capitals", ["train", "held_out"])
    write_set(tmp_path / "copy.jsonl", "capitals", ["train", "held_out"])
    (tmp_path / "link.jsonl").symlink_to("kept.jsonl")
    values = {"model": "tiny-llama", "top_k": 1, "forget": "elements"}
    with pytest.raises(InputError, match=told):
        check(make_config({**values, "retain": retain, "utility": utility}), lambda: None)


def test_one_set_is_not_measured_as_two_companions(tmp_path):
    path = tmp_path / "forget.jsonl"
    write_set(path, "elements", ["train", "held_out"])
    header, *facts = path.read_text(encoding="utf-8").splitlines()
    write_set(tmp_path / "beside.jsonl", "capitals", ["train", "held_out"])
    named = {"neighbours": "beside.jsonl", "far_utility": "./beside.jsonl"}
    path.write_text("\n".join([json.dumps(json.loads(header) | named), *facts]), encoding="utf-8")
    values = {"model": "tiny-llama", "top_k": 1, "forget": str(path), "retain": "us_cities"}
    with pytest.raises(InputError, match="neighbours and its far_utility are the same set"):
        check(make_config({**values, "utility": "cities"}), lambda: None)


def test_a_file_whose_name_has_a_comma_is_one_set(tmp_path):
    path = tmp_path / "here, there.jsonl"
    assert several(str(path)) == (f"{tmp_path}/here", "there.jsonl")
    write_set(path, "capitals", ["train", "held_out"])
    assert several(str(path)) == (str(path),)


def test_every_file_is_named_from_the_root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = make_config({"retain": "capitals,./mine.jsonl"})
    assert config.retain == f"capitals,{tmp_path / 'mine.jsonl'}"


def test_the_folder_of_results_names_every_set(tmp_path):
    one, two = (make_config({"retain": f"capitals,{tmp_path}/{x}.jsonl"}) for x in "ab")
    places = [study_folders(config, Path()).shared.parent.name for config in (one, two)]
    assert places == ["capitals+capitals-a", "capitals+capitals-b"]


@pytest.mark.parametrize("retain", [",", " , "])
def test_no_set_at_all_is_refused(retain):
    with pytest.raises(InputError, match="retain: it names no set"):
        load_sets(make_config({"forget": "elements", "retain": retain, "utility": "cities"}))


def test_each_set_is_held_against_the_forget_set_and_its_neighbours(run: Run):
    for retain, found in ((f"{BOTH},elements", "share the fact"), (f"{BOTH},units", "share")):
        values = {**dataclasses.asdict(run.config), "retain": retain}  # pyright: ignore
        with pytest.raises(InputError, match=found):
            Run(make_config(values), run.folders)


def test_a_further_set_needs_both_sides_too(tmp_path):
    path = write_set(tmp_path / "us_cities.jsonl", "us_cities", ["train"] * 4)
    config = make_config({"forget": "elements", "retain": f"capitals,{path}", "utility": "cities"})
    with pytest.raises(InputError, match="no held_out fact"):
        Run(config, Folders(tmp_path / "run", tmp_path / "shared"))


def test_training_keeps_the_train_facts_of_every_set_and_no_other(run: Run):
    kept = {example.tokens for example in training_examples(run)[1]}
    sets = [load_fact_set(name) for name in several(BOTH)]
    assert len(kept) == sum(len(facts.train) * len(facts.seen) for facts in sets)
    prompts = {run.tokenizer.decode(tokens) for tokens in kept}
    for facts in sets:
        assert any(facts.train[0].subject in prompt for prompt in prompts)
        held_out = {facts.seen[0].render(fact) for fact in facts.held_out_facts}
        assert not any(prompt.startswith(tuple(held_out)) for prompt in prompts)


def test_further_sets_are_measured_evenly_beside_the_first(
    tiny: LanguageModel, run: Run, tmp_path: Path
):
    values = {**dataclasses.asdict(run.config), "retain": f"{BOTH},languages"}  # pyright: ignore
    three = Run(make_config(values), Folders(tmp_path / "3", tmp_path / "3s"), model=tiny)
    one = Run(
        make_config(values | {"retain": "capitals"}), Folders(tmp_path / "1", tmp_path / "1s")
    )
    items, alone = draw(three).items, draw(one).items
    assert items["retain"] == alone["retain"]
    assert not alone["retain_more"]
    sides = [item.fact_id.split("/")[0] for item in items["retain_more"]]
    assert {side: sides.count(side) for side in sides} == {"us_cities": 20, "languages": 20}
    trained = {f"{s.name}/{f.id}" for s in three.sets.kept for f in s.train}
    assert not trained & {item.fact_id for item in items["retain_more"]}
    checked = [item.fact_id for item in items["check_retain"]]
    assert trained >= set(checked)
    assert {name.split("/")[0] for name in checked} == {"capitals", "us_cities", "languages"}


def test_a_run_that_keeps_two_sets_tells_of_both(tmp_path, monkeypatch):
    hurry(monkeypatch)
    sets = write_sets(tmp_path)
    more = write_set(tmp_path / "us_cities.jsonl", "us_cities", ["train", "held_out"] * 3)
    values = {**FAST, **sets, "retain": f"{sets['retain']},{more}"}
    run = Run(make_config(values), Folders(tmp_path / "run", tmp_path / "shared"))
    card = run_study(run)
    rows = card.rows.where(set="retained beside", metric="accuracy", kind="change")
    assert {row.format for row in rows} == {"fp", "nf4"}
    table = scorecard_table(card)
    assert "retain capitals.jsonl, us_cities.jsonl" in table
    assert "retained beside" in table
    assert "retained beside" in card.verdict("retain").reason


def test_a_new_forget_set_changes_places_with_the_retain_set_it_was(tiny_config: StudyConfig):
    config = dataclasses.replace(tiny_config, retain=BOTH)
    assert change(config, forget="us_cities").retain == "capitals,elements"
