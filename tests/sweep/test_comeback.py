"""The map of what comes back: measured in slices, written, and shown."""

import json
from pathlib import Path

import pytest

from mansu.cli import main
from mansu.errors import InputError
from mansu.lab import charts
from mansu.lab.theme import to_spec
from mansu.study.comeback import Returned, read_map, readable_frame, to_frame, write_map
from mansu.study.folders import study_folders
from mansu.study.run import Run
from mansu.study.stages.recall import recall
from mansu.study.state import State
from mansu.sweep import comeback
from mansu.sweep.comeback import map_comeback, shown_map
from mansu.sweep.grid import expand, read_study
from tests.study.small_sets import FAST, write_sets

FORMATS = ("bf16", "nf4")


@pytest.fixture
def study(tmp_path: Path) -> Path:
    sets = write_sets(tmp_path)
    shared = {name: value for name, value in FAST.items() if name != "model"}
    told = {
        "study": "small",
        "models": ["tiny-llama"],
        "sets": [sets],
        "methods": ["ga", "mansu"],
        "set": {**shared, "formats": list(FORMATS), "keep": "last"},
    }
    file = tmp_path / "study.yaml"
    file.write_text(json.dumps(told), encoding="utf-8")  # which is YAML, too
    return file


def entry(**other) -> Returned:
    told = {
        "method": "ga",
        "format": "nf4",
        "original": 0.9,
        "original_there": 0.85,
        "plain": 0.3,
        "deployed": (0.45, 0.4, 0.5),
        "gap": (0.15, 0.1, 0.2),
        "share": (0.25, 0.15, 0.35),
        "retain": -0.01,
        "stored": 0.004,
        "signal": 0.99,
        "noise": 12.0,
    }
    return Returned(**{**told, **other})


def asked_anew(study: Path, root: Path, form: str) -> float:
    """The original's accuracy in a format, from the stage that asks it."""
    config = expand(read_study(study))[0]
    run = Run(config, study_folders(config, root))
    return recall(run, State("original", form)).roles["forget_seen"].accuracy


def test_a_map_has_every_run_in_every_format_and_is_there_again(study: Path, tmp_path) -> None:
    done, file = map_comeback(study, out=tmp_path / "out")
    assert done
    found = read_map(file)
    assert [(one.method.partition("-")[0], one.format) for one in found] == [
        (method, form) for method in ("ga", "mansu") for form in FORMATS
    ]
    for one in found:
        assert one.gap[0] == pytest.approx(one.deployed[0] - one.plain)
        assert one.deployed[1] <= one.deployed[0] <= one.deployed[2]
    assert found[0].original_there == found[0].original  # a tiny model is as it was in bfloat16
    assert {one.original_there for one in found if one.format == FORMATS[1]} == {
        asked_anew(study, tmp_path / "out", FORMATS[1])
    }
    mansu = [one for one in found if one.method.startswith("mansu")]
    assert mansu[1].stored == 1.0  # every update crosses a bin of what training aims at
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("recall*")}
    assert map_comeback(study, out=tmp_path / "out") == (True, file)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("recall*")} == before
    assert read_map(file) == found


def test_a_slice_that_is_over_keeps_what_it_measured(study: Path, tmp_path, monkeypatch) -> None:
    clock = iter([0.0, 0.0, 100.0])
    monkeypatch.setattr(comeback.time, "monotonic", lambda: next(clock, 100.0))
    done, file = map_comeback(study, budget="50s", out=tmp_path / "out")
    assert not done
    assert [one.format for one in read_map(file)] == ["bf16"]


def test_a_shorter_slice_takes_nothing_from_the_map(study: Path, tmp_path, monkeypatch) -> None:
    out = tmp_path / "out"
    _, file = map_comeback(study, out=out)
    whole = read_map(file)
    told = json.loads(study.read_text()) | {"methods": ["mansu", "npo"]}  # npo is not measured
    study.write_text(json.dumps(told))
    clock = iter([0.0])
    monkeypatch.setattr(comeback.time, "monotonic", lambda: next(clock, 100.0))
    done, _ = map_comeback(study, budget="50s", out=out)
    assert not done
    assert set(read_map(file)) == set(whole)


def test_a_second_map_of_the_folder_is_refused_while_the_first_is_measured(
    study: Path, tmp_path, monkeypatch
) -> None:
    def beside(run, form) -> Returned:
        with pytest.raises(InputError, match=r"Another process works on .*comeback\.json; wait"):
            map_comeback(study, out=tmp_path / "out")
        return entry(method=run.config.method, format=form)

    monkeypatch.setattr(comeback, "measure_return", beside)
    done, file = map_comeback(study, out=tmp_path / "out")
    assert done
    assert len(read_map(file)) == 2 * len(FORMATS)


def test_a_model_is_held_anew_where_the_next_run_holds_it_in_another_dtype(
    study: Path, tmp_path, monkeypatch
) -> None:
    told = json.loads(study.read_text())
    told |= {"methods": ["mansu"], "variants": [{}, {"dtype": "bfloat16"}]}
    study.write_text(json.dumps(told))
    held = []

    def look(run, form) -> Returned:
        held.append((run.config.dtype, str(run.model.module.dtype).removeprefix("torch.")))
        return entry(method=run.config.dtype, format=form)

    monkeypatch.setattr(comeback, "measure_return", look)
    map_comeback(study, out=tmp_path / "out")
    assert {dtype for dtype, _ in held} == {"float32", "bfloat16"}
    assert all(asked == found for asked, found in held)


@pytest.mark.parametrize("more", [{"seeds": [0, 1]}, {"models": ["tiny-llama", "tiny-qwen3"]}])
def test_a_study_whose_lines_could_not_be_told_apart_is_refused(study: Path, tmp_path, more):
    study.write_text(json.dumps(json.loads(study.read_text()) | more))
    with pytest.raises(InputError, match="one seed"):
        map_comeback(study, out=tmp_path / "out")


def test_bad_input_ends_it_before_any_work(study: Path, tmp_path, capsys) -> None:
    with pytest.raises(InputError, match="budget"):
        map_comeback(study, budget="soon", out=tmp_path / "out")
    with pytest.raises(InputError, match="budget"):
        map_comeback(study, budget="", out=tmp_path / "out")
    told = json.loads(study.read_text()) | {"methods": ["ga", "nothing"]}
    study.write_text(json.dumps(told))
    assert main(["comeback", str(study)]) == 2
    assert main(["comeback", str(study), "--to", "map.doc"]) == 2
    assert capsys.readouterr().err.count("\n") == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("formats", [[], ["fp"], ""])
def test_a_map_of_no_format_is_refused(study: Path, tmp_path, formats) -> None:
    told = json.loads(study.read_text())
    study.write_text(json.dumps(told | {"set": told["set"] | {"formats": formats}}))
    with pytest.raises(InputError, match="formats names none"):
        map_comeback(study, out=tmp_path / "out")
    study.write_text(json.dumps(told | {"variants": [{}, {"top_k": 2, "formats": formats}]}))
    with pytest.raises(InputError, match="formats names none"):
        map_comeback(study, out=tmp_path / "out")


def test_a_share_of_nothing_is_not_told() -> None:
    line = readable_frame([entry(share=None)]).iloc[0]
    assert line["share back"] == ""
    assert line["deployed"] == "0.450 [0.400, 0.500]"


def test_a_written_map_is_read_as_it_was(tmp_path: Path) -> None:
    found = (entry(), entry(format="int8", share=None, noise=None))
    write_map(found, tmp_path / "map.json")
    assert read_map(tmp_path / "map.json") == found
    assert read_map(tmp_path / "none.json") == ()
    (tmp_path / "map.json").write_text("[{}]")
    with pytest.raises(InputError, match="damaged"):
        read_map(tmp_path / "map.json")


def test_the_map_of_a_study_is_what_was_measured_here_or_else_for_the_project(
    tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(comeback, "repository", lambda: tmp_path)
    assert shown_map("own") == ()
    (tmp_path / "papermill_runs" / "reference").mkdir(parents=True)
    write_map([entry()], tmp_path / "papermill_runs" / "reference" / "own.json")
    assert shown_map("own") == (entry(),)
    (tmp_path / "papermill_runs" / "own").mkdir()
    write_map([entry(method="npo")], tmp_path / "papermill_runs" / "own" / comeback.FILE)
    assert shown_map("own")[0].method == "npo"


def test_charts_show_every_run_and_format_and_no_share_where_there_is_none() -> None:
    found = [entry(), entry(format="int8", share=None), entry(method="npo<b>")]
    drawn = to_spec(charts.comeback_map(found))
    assert "–" in json.dumps(drawn, ensure_ascii=False)
    assert len(to_frame(found)) == 3
    account = to_spec(charts.account_chart(found))
    points = max(map(len, account["datasets"].values()))
    assert points == 2
    assert to_spec(charts.formats_chart(found[:2]))["title"]
