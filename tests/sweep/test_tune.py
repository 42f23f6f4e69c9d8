"""The search over settings: the same few for every method, kept as they finish."""

import sys
import time
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml

from mansu.cli import main
from mansu.errors import InputError, RunError
from mansu.registry import plugs
from mansu.study.config import make_config
from mansu.study.tuned_file import read_own, read_tuned
from mansu.study.tuning import MOST, Tried, choose, judge_checks, possible, search
from mansu.sweep import tune as tuning
from mansu.sweep.grid import expand, read_study
from mansu.unlearn.checkpoint import Validation
from mansu.unlearn.methods import find_method

METHODS = [name for name in plugs("mansu.unlearn.methods") if name != "given"]


def check(step: int, auc: float, drop: float = 0.0, fall: float = 0.0) -> Validation:
    return Validation(step, auc, drop, auc, 0.5, fall)


def tried(name: str, *checks: Validation) -> Tried:
    return Tried({name: 1.0}, *judge_checks(checks), broken=False, seconds=1.0)


def walk(name: str, breaks_from: float) -> list[dict]:
    """What is tried of a method whose trainings break from a learning rate on; the highest that
    does not break forgets best."""
    steps, found = search(find_method(name)), []
    values = next(steps)
    while True:
        found.append(values)
        rate = make_config({"method": name, "settings": values}).settings.learning_rate
        broken = rate >= breaks_from
        one = check(2, 0.9 - min(rate / breaks_from, 1) / 5)
        try:
            values = steps.send(Tried(values, one, not broken, broken, seconds=1.0))
        except StopIteration:
            return found


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("breaks_at", [1e-3, 0.2, 0.9, 1.1, 2.0, 8.0, 1e3])
def test_every_method_gets_at_most_eight_different_settings_its_default_first(
    name: str, breaks_at: float
) -> None:
    usual = make_config({"method": name}).settings.learning_rate
    found = walk(name, usual * breaks_at)
    assert found[0] == {}
    assert 3 <= len(found) <= MOST
    configs = [make_config({"method": name, "settings": values}) for values in found]
    assert len({str(config.settings) for config in configs}) == len(found)
    assert all(values in possible(find_method(name)) for values in found)


def test_the_search_goes_to_where_trainings_break_and_then_between() -> None:
    rate, weight = "learning_rate", "retain_weight"
    assert walk("npo", 2e-5) == [
        *({}, {rate: 3e-5}, {rate: 1.7e-5}),
        *({rate: 1.7e-5, weight: 4.0}, {rate: 1.7e-5, weight: 0.25}, {rate: 5.2e-5, weight: 4.0}),
    ]
    assert walk("npo", 2e-6)[:4] == [{}, {rate: 3.3e-6}, {rate: 1.1e-6}, {rate: 1.9e-6}]
    assert walk("ga", 1e-9) == [{}, {rate: 6.7e-6}, {rate: 2.2e-6}, {rate: 7.4e-7}]


def test_what_kept_the_retain_set_wins_over_what_forgot_more() -> None:
    good = tried("good", check(2, 0.7), check(4, 0.6))
    harmful = tried("harmful", check(2, 0.5, drop=0.3))
    silent = tried("silent", check(2, 0.5, fall=9.0))
    none = Tried({}, None, False, True, 0.0, "diverged")
    assert choose([none, harmful, silent, good]) is good
    assert good.check == check(4, 0.6)
    assert choose([none, harmful]) is harmful
    assert choose([harmful, tried("milder", check(2, 0.55, drop=0.05))]).settings == {"milder": 1.0}
    assert choose([good, tried("equal", check(9, 0.6))]) is good


HASTY = """
from pydantic.dataclasses import dataclass

from mansu.settings import Share
from mansu.unlearn.methods.base import Method
from mansu.unlearn.settings import STRICT, Descent, own


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Settings(Descent):
    learning_rate: Share = own("learning_rate", 0.9)


METHOD = Method("hasty", "hasty", Settings, unlearn=lambda task, settings: None)
"""
STUDY = {
    "study": "tuning",
    "models": ["tiny-llama"],
    "sets": [{"forget": "elements", "retain": "capitals", "utility": "cities"}],
    "methods": ["ga", "mansu"],
    "set": {"steps": 2, "validate_every": 1, "top_k": 2, "items": 20, "forget_batch": 4},
}


@pytest.fixture
def study(tmp_path: Path, monkeypatch) -> Path:
    """A study of two methods whose results lie in a folder of their own."""
    (tmp_path / "papermill_runs").mkdir()
    monkeypatch.setattr(tuning, "repository", lambda: tmp_path)
    path = tmp_path / "tuning.yaml"
    path.write_text(yaml.safe_dump(STUDY), encoding="utf-8")
    return path


def begin(study: Path, file: Path) -> bytes:
    """The file, once a search has come as far as its first setting."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tuning, "METHOD_SECONDS", 1e-9)
        assert main(["tune", str(study), "--out", str(file)]) == 0
    return file.read_bytes()


def test_a_search_in_slices_ends_as_one_in_one_go_and_studies_read_what_it_chose(
    study: Path, monkeypatch, capsys
) -> None:
    file = study.parent / "papermill_runs" / "tuning" / "tuned.yaml"
    clock, begun = time.monotonic, []

    def hurried() -> float:  # the slice is over in the middle of the third training
        begun.append(1)
        return clock() + (1e6 if len(begun) > 12 else 0)

    monkeypatch.setattr(tuning.time, "monotonic", hurried)
    assert main(["tune", str(study), "--budget", "2h"]) == 0
    assert "run the same command to go on" in capsys.readouterr().out
    monkeypatch.setattr(tuning.time, "monotonic", clock)
    first = yaml.safe_load(file.read_text(encoding="utf-8"))["methods"]
    assert list(first) == ["ga"]
    assert not first["ga"]["finished"]
    with pytest.raises(InputError, match="the search for ga is not over"):
        read_tuned(file)
    assert main(["tune", str(study)]) == 0
    said = capsys.readouterr().out
    assert said.count("chosen") == 2
    found = yaml.safe_load(file.read_text(encoding="utf-8"))["methods"]
    assert found["ga"]["tried"][: len(first["ga"]["tried"])] == first["ga"]["tried"]
    assert all(found[name]["finished"] for name in ("mansu", "ga"))
    chosen = read_tuned(file)
    later = study.with_name("later.yaml")
    later.write_text(yaml.safe_dump({**STUDY, "study": "later", "tuned": str(file)}))
    for config in expand(read_study(later)):
        for setting, value in chosen[config.method].items():
            assert getattr(config.settings, setting) == value


def test_a_search_goes_on_where_the_file_is_all_there_is_and_only_what_would_be_the_same_is_taken(
    study: Path, monkeypatch
) -> None:
    values = {**STUDY, "methods": ["ga"]}
    study.write_text(yaml.safe_dump(values), encoding="utf-8")
    _, file = tuning.tune(study)
    first = yaml.safe_load(file.read_text(encoding="utf-8"))["methods"]
    other = study.parent / "another machine"
    moved = other / "papermill_runs" / "tuning" / "tuned.yaml"
    moved.parent.mkdir(parents=True)
    entry = first["ga"]
    changed = {**entry, "tried": [entry["tried"][0] | {"key": "other code"}, *entry["tried"][1:]]}
    untouched = {"npo": {**entry, "tried": []}}
    whole = yaml.safe_load(file.read_text(encoding="utf-8"))
    moved.write_text(yaml.safe_dump(whole | {"methods": {"ga": changed, **untouched}}))
    monkeypatch.setattr(tuning, "repository", lambda: other)
    trained = []
    module = sys.modules["mansu.study.stages.train"]
    stage = module.train

    class Counting:
        key = staticmethod(stage.key)

        def __call__(self, run, watch):
            trained.append(run.config.settings.learning_rate)
            return stage(run, watch=watch)

    monkeypatch.setattr(module, "train", Counting())
    tuning.tune(study)
    again = yaml.safe_load(moved.read_text(encoding="utf-8"))["methods"]
    assert len(trained) == 1
    assert [one["key"] for one in again["ga"]["tried"]] == [one["key"] for one in entry["tried"]]
    assert again["ga"]["tried"][1:] == entry["tried"][1:]
    assert again["npo"] == untouched["npo"]


def test_a_training_that_fails_is_a_loser_with_its_reason(study: Path, monkeypatch) -> None:
    # The package's name for the module is the stage.
    module = sys.modules["mansu.study.stages.train"]

    class Diverging:
        key = staticmethod(module.train.key)

        def __call__(self, run, watch):
            raise RunError("The loss is not finite at step 2.")

    monkeypatch.setattr(module, "train", Diverging())
    done, file = tuning.tune(study)
    assert done
    found = yaml.safe_load(file.read_text(encoding="utf-8"))["methods"]
    assert {tried["note"] for tried in found["ga"]["tried"]} == {
        "The loss is not finite at step 2."
    }


def test_a_second_search_into_the_file_is_refused_while_the_first_goes_on(
    study: Path, monkeypatch, capsys
) -> None:
    module = sys.modules["mansu.study.stages.train"]
    refused = []

    class Beside:
        key = staticmethod(module.train.key)

        def __call__(self, run, watch):
            refused.append(main(["tune", str(study)]))
            raise RunError("The loss is not finite at step 2.")

    monkeypatch.setattr(module, "train", Beside())
    file = study.parent / "papermill_runs" / "tuning" / "tuned.yaml"
    assert main(["tune", str(study)]) == 0  # which is held by nobody now
    assert set(refused) == {2}
    told = set(capsys.readouterr().err.splitlines())
    assert told == {
        f"mansu: Another process works on {file}; wait until it has ended, or give another place "
        "with --out."
    }
    assert list(read_tuned(file)) == ["ga", "mansu"]
    assert main(["tune", str(study)]) == 0


@pytest.mark.parametrize(
    ("changes", "words", "told"),
    [
        ({}, ["--budget", "soon"], "give a time such as 90s"),
        ({}, ["--budget", ""], "give a time such as 90s"),
        ({"variants": [{}, {"top_k": 3}]}, [], "reads no variants; leave it out"),
        ({"tuned": "other.yaml"}, [], "reads no tuned; leave it out"),
        ({"set": {"formats": ["nf4"]}}, [], "nothing reads formats; leave it out"),
        ({"set": {"relearn": True}}, [], "nothing reads relearn; leave it out"),
        ({"set": {"learning_rate": 0.1}}, [], "itself tries ga's learning_rate; leave it out"),
        (
            {"set": STUDY["set"] | {"retain_weight": 3}},
            [],
            "itself tries mansu's retain_weight; leave it out",
        ),
        ({"methods": ["ga", "lora"], "set": STUDY["set"] | {"rank": 999}}, [], "lower rank"),
        ({"study": "reference"}, [], "'reference' is a name of the project's own"),
        ({"models": ["tiny-llama", "tiny-qwen3"]}, [], "one model, one group of sets and one seed"),
        ({"seeds": [0, 1]}, [], "one model, one group of sets and one seed"),
        ({"methods": ["ga", "npo", "ga"]}, [], "methods names ga twice; drop the repeated entry"),
        ({"methods": ["nop"]}, [], "did you mean 'npo'"),
        ({"methods": ["given"]}, [], "there is nothing to tune"),
        ({"set": {"colour": 1}}, [], "'colour' is not a configuration key"),
    ],
)
def test_bad_input_ends_the_search_before_any_work(
    study: Path, capsys, changes: dict, words: list[str], told: str
) -> None:
    study.write_text(yaml.safe_dump({**STUDY, **changes}), encoding="utf-8")
    assert main(["tune", str(study), *words]) == 2
    assert told in capsys.readouterr().err
    assert not [*(study.parent / "papermill_runs").iterdir()]


def test_a_setting_that_a_search_could_come_to_is_checked_before_any_work(
    study: Path, monkeypatch, capsys
) -> None:
    plugs = study.parent / "plugs" / "methods"
    plugs.mkdir(parents=True)
    (plugs / "hasty.py").write_text(HASTY, encoding="utf-8")
    monkeypatch.setenv("MANSU_PLUGS", str(plugs.parent))
    study.write_text(yaml.safe_dump({**STUDY, "methods": ["ga", "hasty"]}), encoding="utf-8")
    assert main(["tune", str(study)]) == 2
    assert "learning_rate: input should be less than or equal to 1" in capsys.readouterr().err
    assert not [*(study.parent / "papermill_runs").iterdir()]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"sets": [{"forget": "cities", "retain": "capitals", "utility": "elements"}]}, "forget"),
        ({"models": ["tiny-qwen3"]}, "model"),
        ({"set": STUDY["set"] | {"steps": 3}}, "steps"),
    ],
)
def test_the_search_of_another_study_is_left_as_it_is(
    study: Path, capsys, changes: dict, told: str
) -> None:
    file = study.with_name("tuned.yaml")
    study.write_text(yaml.safe_dump({**STUDY, "methods": ["ga"]}), encoding="utf-8")
    before = begin(study, file)
    study.write_text(yaml.safe_dump({**STUDY, "study": "other", **changes}), encoding="utf-8")
    capsys.readouterr()
    assert main(["tune", str(study), "--out", str(file)]) == 2
    said = capsys.readouterr().err
    assert f"the search of another study (it differs in {told}" in said
    assert "give another file with --out" in said
    assert file.read_bytes() == before


def test_studies_of_other_methods_alone_search_into_one_file(study: Path) -> None:
    file = study.with_name("tuned.yaml")
    study.write_text(yaml.safe_dump({**STUDY, "methods": ["ga"]}), encoding="utf-8")
    begin(study, file)
    first = yaml.safe_load(file.read_bytes())
    values = {**STUDY, "study": "other", "methods": ["npo"], "set": {**STUDY["set"]}}
    values["set"]["memory_mb"] = 64  # which is no part of what is trained
    study.write_text(yaml.safe_dump(values), encoding="utf-8")
    begin(study, file)
    both = yaml.safe_load(file.read_bytes())
    assert both["methods"]["ga"] == first["methods"]["ga"]
    assert [*both["methods"]] == ["ga", "npo"]


def test_a_study_that_cannot_work_is_told_of_before_its_file_is(study: Path, capsys) -> None:
    file = study.with_name("tuned.yaml")
    file.write_text("methods: {}\nstudy: {model: another}\n", encoding="utf-8")
    study.write_text(yaml.safe_dump({**STUDY, "set": {"colour": 1}}), encoding="utf-8")
    assert main(["tune", str(study), "--out", str(file)]) == 2
    assert "'colour' is not a configuration key" in capsys.readouterr().err


def test_a_file_that_no_search_wrote_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tuned.yaml").write_text("npo: 3\n")
    with pytest.raises(InputError, match="mansu tune writes such files"):
        read_tuned(tmp_path / "tuned.yaml")


def damage(entry: dict, name: str) -> object:
    """An entry with something in it that no search writes."""
    one = entry["tried"][0]
    return {
        "no mapping": [],
        "no list": {**entry, "tried": 3},
        "no setting": {**entry, "tried": ["x"]},
        "words": {**entry, "tried": [{**one, "seconds": "soon"}]},
        "a setting of words": {**entry, "tried": [{**one, "settings": {"learning_rate": "x"}}]},
        "a check of words": {**entry, "tried": [{**one, "check": {**one["check"], "auc": "x"}}]},
        "no check": {**entry, "tried": [{**one, "check": "x"}]},
        "no choice": {**entry, "chosen": ["x"]},
    }[name]


@pytest.mark.parametrize(
    "name",
    [
        *("no mapping", "no list", "no setting", "words", "a setting of words"),
        *("a check of words", "no check", "no choice"),
    ],
)
def test_a_damaged_file_is_refused_and_left_as_it_is(study: Path, capsys, name: str) -> None:
    file = study.with_name("tuned.yaml")
    line = {"settings": {}, "allowed": True, "broken": False, "seconds": 1.0}
    entry = {"chosen": {}, "finished": True, "tried": [{**line, "check": asdict(check(1, 0.5))}]}
    roles = STUDY["sets"][0]
    searched_on = {"model": "tiny-llama", **roles, "seed": 0, **STUDY["set"]}
    file.write_text(yaml.safe_dump({"study": searched_on, "methods": {"npo": entry}}))
    assert [*read_own(file, searched_on)] == ["npo"]
    damaged = {"study": searched_on, "methods": {"npo": damage(entry, name)}}
    file.write_text(yaml.safe_dump(damaged))
    before = file.read_bytes()
    assert main(["tune", str(study), "--out", str(file)]) == 2
    assert "holds no tuned settings, or is damaged" in capsys.readouterr().err
    assert file.read_bytes() == before
